"""Regions, jobs and a machine that the planner's tests are made of."""

from typing import Any

from hypothesis import strategies as st
from tests.unit.core_cases import KINDS, MIB

from qfleet_controlplane.planning import regions
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import payloads

ENGINES = (payloads.Engine("qulacs", "", KINDS),)


def devices(
    online: int = 2, *, workers: int = 2, qubits: int = 24, memory: int = 512 * MIB, amplitude_ns: float = 2.0
) -> regions.DeviceClass:
    """A class of boards alike."""
    return regions.DeviceClass(
        engines=ENGINES,
        workers=workers,
        max_qubits=qubits,
        task_memory_bytes=memory,
        calibrations=(payloads.Calibration("qulacs", amplitude_ns, 2.0, 20.0),),
        known=max(1, online),
        online=online,
    )


def region(name: str, *classes: regions.DeviceClass, **changes: Any) -> regions.RegionFacts:
    """A region with these devices; nothing waits there."""
    facts: dict[str, Any] = {
        "classes": classes,
        "workers": sum(entry.online * entry.workers for entry in classes),
        "devices": sum(entry.known for entry in classes),
        "online": sum(entry.online for entry in classes),
    }
    return regions.RegionFacts(name=name, **(facts | changes))


def grid(items: int = 200, qubits: int = 20, gates: int = 200) -> Specification:
    """Expectation values on a grid of parameters: every point is a piece of work of about 0.4 s."""
    return Specification(
        kind="circuit.expect", seed=1, items=items, points=((),) * items, qubits=qubits, gates=gates
    )


def echoes(items: int) -> Specification:
    """Equal tasks, one per item."""
    return Specification(kind="probe.echo", seed=1, items=items)


TAGS = ("EU", "US", "CH")
"""Residency tags that random regions and jobs draw from."""


@st.composite
def some_regions(draw: st.DrawFn, least: int = 1) -> list[regions.RegionFacts]:
    """Up to five regions of any shape."""
    count = draw(st.integers(least, 5))
    return [
        region(
            f"r{number}",
            *(
                devices(
                    draw(st.integers(0, 6)),
                    workers=draw(st.integers(1, 4)),
                    qubits=draw(st.sampled_from([10, 24])),
                    amplitude_ns=draw(st.sampled_from([0.5, 2.0, 8.0])),
                )
                for _ in range(draw(st.integers(0, 3)))
            ),
            residency=tuple(draw(st.sets(st.sampled_from(TAGS)))),
            backlog_ms=draw(st.sampled_from([0.0, 500.0, 60_000.0])),
            latency_ms=draw(st.sampled_from([None, 5.0, 400.0])),
            energy_price=draw(st.sampled_from([None, 0.1, 0.4])),
            stale=draw(st.booleans()),
            reachable=draw(st.booleans()),
        )
        for number in range(count)
    ]

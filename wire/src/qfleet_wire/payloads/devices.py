"""What a device says of itself, and what it is asked and told."""

from typing import Literal

import msgspec

from qfleet_wire.names import Millis, TaskId
from qfleet_wire.ways import Way, Window


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """Ask a device for its announcement and inventory again, or to rekey."""

    what: Literal["announcement", "inventory"]


class Contacts(msgspec.Struct, frozen=True, tag="contacts"):
    """When the device is in contact, by a plan: for its ways whose settings leave their windows to that.

    The one issued last counts. ``windows`` are in order and apart from each other; from ``until`` on the
    plan says nothing, and one without windows ends it at once. Repeatable.
    """

    issued: Millis
    until: Millis
    windows: tuple[Window, ...]


class Calibration(msgspec.Struct, frozen=True, omit_defaults=True):
    """Measured speed of an engine on a device: the coefficients of the cost model in ``costs``.

    The first three are all that agents of before measure, and all that control planes of before read.
    """

    engine: str
    amplitude_ns: float
    """Nanoseconds per gate and amplitude of a state vector, at the largest size that was measured."""
    gate_us: float
    """Microseconds per gate that do not depend on the width."""
    shot_us: float
    """Microseconds per shot of a dynamic program beside its gates."""
    curve: tuple[tuple[float, float], ...] = ()
    """Sizes of a state, ascending, and microseconds of a pass over it; empty: not measured."""
    item_us: float = 0.0
    part_us: float = 0.0
    turn_us: float = 0.0
    history_us: float = 0.0
    draw_us: float = 0.0
    """Microseconds of each thing that ``costs.Load`` counts; they mean something where there is a curve."""
    load_ms: float = 0.0
    """Milliseconds that the engine takes to be loaded, once in a worker's life."""
    kinds: tuple[str, ...] = ()
    """What was measured, as in ``Engine.kinds``; empty: all that the engine runs."""


class Engine(msgspec.Struct, frozen=True):
    """An engine that a device has, and the workload kinds it runs."""

    name: str
    version: str
    kinds: tuple[str, ...]


class Announcement(msgspec.Struct, frozen=True, tag="announcement"):
    """What a device is and can do. Sent on every new session and on change; the last one counts."""

    agent_version: str
    profile: str
    boot_id: str
    machine: str
    cores: int
    memory_bytes: int
    workers: int
    task_memory_bytes: int
    max_qubits: int
    engines: tuple[Engine, ...]
    calibrations: tuple[Calibration, ...] = ()
    task_time_ms: int = 900_000
    """Longest time limit that a task may have here; an agent that does not say keeps 15 minutes."""
    way: Way | None = None
    """The way that the session came over; None: the device has one way only."""

    @property
    def copies_state(self) -> bool:
        """Whether its engine copies a state before it draws from it: agents of 0.1 do."""
        return self.agent_version.startswith("0.1.")


class Inventory(msgspec.Struct, frozen=True, tag="inventory"):
    """All (task, attempt) pairs the device holds, sent on every new session.

    Accepted but unfinished, and finished but unacknowledged: both sides agree after any cut.
    """

    unfinished: tuple[tuple[TaskId, int], ...]
    finished: tuple[tuple[TaskId, int], ...]

"""Counters and gauges, and their text for Prometheus (exposition format 0.0.4).

Counting is an addition to a dictionary, so that the hot path may count every message. Labels
must come from small fixed sets, never from what a device or a caller sends.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Labels: TypeAlias = tuple[tuple[str, str], ...]
Reading: TypeAlias = float | Mapping[str, float]


@dataclass(slots=True)
class Counter:
    """A number per label value that only grows; ``label`` is empty for a single number."""

    name: str
    text: str
    label: str = ""
    values: dict[str, float] = field(default_factory=dict)

    def add(self, value: str = "", amount: float = 1) -> None:
        """Count ``amount`` under a label value."""
        self.values[value] = self.values.get(value, 0) + amount


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number, or one per label value, that is read when somebody asks."""

    name: str
    text: str
    read: Callable[[], Reading]
    label: str = ""


class Registry:
    """All that ``/metrics`` shows."""

    def __init__(self) -> None:
        self._families: list[Counter | Gauge] = []

    def counter(self, name: str, text: str, *, label: str = "") -> Counter:
        """Make and register a counter."""
        counter = Counter(name, text, label)
        self._families.append(counter)
        return counter

    def gauge(self, name: str, text: str, read: Callable[[], Reading], *, label: str = "") -> None:
        """Register a gauge."""
        self._families.append(Gauge(name, text, read, label))

    def render(self) -> str:
        """Write every family in Prometheus' text format."""
        lines: list[str] = []
        for family in self._families:
            kind = "counter" if isinstance(family, Counter) else "gauge"
            lines += [f"# HELP {family.name} {family.text}", f"# TYPE {family.name} {kind}"]
            lines += [
                f"{family.name}{_labels(family.label, value)} {number:.17g}"
                for value, number in sorted(_readings(family).items())
            ]
        return "\n".join(lines) + "\n"


def _readings(family: Counter | Gauge) -> Mapping[str, float]:
    reading = family.read() if isinstance(family, Gauge) else family.values
    if isinstance(reading, Mapping):
        return reading or ({} if family.label else {"": 0.0})
    return {"": reading}


def _labels(label: str, value: str) -> str:
    if not label:
        return ""
    escaped = value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return f'{{{label}="{escaped}"}}'

"""What merged results have in common as the API shows them: heading, sources, spelling of outcomes.

Outcomes stand in the bit order that Qiskit's users expect: a key has the bits of each output
register with the highest bit leftmost; registers are split by a space, and the one declared last
stands leftmost. In an outcome's integer the register declared first has the lowest bits.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from qfleet_wire import api, workload

Sources: TypeAlias = tuple[api.SourceView, ...]


class Counted(NamedTuple):
    """A result that counts, and where it comes from."""

    result: workload.WorkResult
    device: str
    engine: str
    engine_version: str
    duration_ms: float


class Heading(NamedTuple):
    """What stands over every result view."""

    job: str
    status: api.JobStatus
    request: api.JobRequest


def source_views(results: Sequence[Counted]) -> Sources:
    """Sum tasks and durations up per device and engine."""
    sums: dict[tuple[str, str, str], tuple[int, float]] = {}
    for counted in results:
        key = (counted.device, counted.engine, counted.engine_version)
        tasks, duration = sums.get(key, (0, 0.0))
        sums[key] = (tasks + 1, duration + counted.duration_ms)
    return tuple(api.SourceView(*key, *total) for key, total in sorted(sums.items()))


def key(outcome: int, registers: Sequence[int]) -> str:
    """Spell an outcome over registers of these widths, in order of declaration."""
    words: list[str] = []
    for width in registers:
        words.append(format(outcome & ((1 << width) - 1), f"0{width}b"))
        outcome >>= width
    return " ".join(reversed(words))

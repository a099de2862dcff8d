"""Whether a program is Clifford at all its parameter points; if not, what is in the way, and where."""

from collections.abc import Sequence

import msgspec

from qfleet_controlplane.compile.places import Places
from qfleet_wire import circuit, circuit_facts, circuit_stabilizer
from qfleet_wire.circuit_stabilizer import Hindrance

CHECKS = 300_000
"""Most angles that are looked at, over all parameter points: about a second."""


class Obstacle(msgspec.Struct, frozen=True):
    """What no stabilizer tableau computes; line and column count from 1, and are 0 where not known."""

    why: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """Spell it with its place."""
        return f"{self.line}:{self.column}: {self.why}" if self.line else self.why


def obstacle(
    program: circuit.Program, points: Sequence[Sequence[float]], places: Places, *, exact: bool
) -> Obstacle | None:
    """Name the first thing that is not Clifford; None for a Clifford program.

    ``exact`` says that values are wanted, which takes a program that only ends with measurements.
    """
    varying = sum(_varies(each) for each in program.body)
    if varying * len(points) > CHECKS:
        return Obstacle(
            f"{varying:,} varying gates at {len(points):,} points are too many to check for Clifford"
        )
    found = circuit_stabilizer.read(program, circuit_stabilizer.steps_everywhere(points))
    if isinstance(found, Hindrance):
        return Obstacle(found.why, *(places.of(found.statement) or ()))
    if exact and not circuit_facts.is_static(program):
        return Obstacle("values after outcomes in mid-course are averages over states")
    return None


def _varies(statement: circuit.Statement) -> bool:
    return isinstance(statement, circuit.Gate) and any(
        not isinstance(each, circuit.Constant) for each in statement.arguments
    )

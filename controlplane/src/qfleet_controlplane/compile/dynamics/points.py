"""Parameter points and constants of a request: which names there are, and their values."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from qfleet_controlplane.compile.dynamics import formulas
from qfleet_controlplane.compile.dynamics.space import IDENTIFIER
from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_wire import api
from qfleet_wire.limits import LIMITS
from qfleet_wire.workload import formula
from qfleet_wire.workload.formula import Formula

FIELD = "work.parameters"


class Known(dict[str, Formula]):
    """All names that formulas know; ``used`` has those that were looked up."""

    def __init__(self) -> None:
        super().__init__()
        self.used: set[str] = set()

    def __getitem__(self, name: str) -> Formula:
        self.used.add(name)
        return super().__getitem__(name)


class Points(NamedTuple):
    """Names of parameters in order, a vector of values for each point, and all names that formulas know."""

    names: tuple[str, ...]
    vectors: tuple[tuple[float, ...], ...]
    known: Known


def given(work: api.DynamicsRequest) -> Points:
    """Check constants and parameter points.

    Raises:
        RequestRefused: a name or a value cannot be, or points differ in their names.
    """
    if len(work.parameters) > LIMITS.items:
        raise RequestRefused(FIELD, f"has {len(work.parameters)} points", f"give at most {LIMITS.items}")
    known = Known()
    for name, value in work.constants.items():
        _check(f"work.constants.{name}", name, value)
        known[name] = formula.Number(value)
    names = tuple(sorted(work.parameters[0])) if work.parameters else ()
    for number, point in enumerate(work.parameters):
        _check_names(number, point, names)
        for name, value in point.items():
            field = f"{FIELD}[{number}].{name}"
            _check(field, name, value)
            if name in work.constants:
                raise RequestRefused(field, "is a constant too", "give it in one of the two places")
    known.update((name, formula.Parameter(index)) for index, name in enumerate(names))
    vectors = tuple(tuple(point[name] for name in names) for point in work.parameters) or ((),)
    return Points(names, vectors, known)


def check_used(points: Points, used: Iterable[Formula]) -> None:
    """Refuse a parameter or a constant that no formula names.

    Raises:
        RequestRefused: with its name.
    """
    indices = {index for one in used for index in _indices(one)}
    for index, name in enumerate(points.names):
        if index not in indices:
            hint = f"leave it out, or name {name} in a coefficient, a rate or an initial state"
            raise RequestRefused(f"{FIELD}[0].{name}", "is used nowhere", hint)
    for name in points.known:
        if name not in points.names and name not in points.known.used:
            hint = f"leave it out, or name {name} in a coefficient, a rate or an initial state"
            raise RequestRefused(f"work.constants.{name}", "is used nowhere", hint)


def _indices(one: Formula) -> Iterator[int]:
    match one:
        case formula.Parameter(index=index):
            yield index
        case formula.Call(argument=argument):
            yield from _indices(argument)
        case formula.Combination(left=left, right=right):
            yield from _indices(left)
            yield from _indices(right)


def _check_names(number: int, point: Mapping[str, float], names: tuple[str, ...]) -> None:
    missing, more = sorted(set(names) - point.keys()), sorted(point.keys() - set(names))
    if missing:
        hint = "every point names the same parameters"
        raise RequestRefused(f"{FIELD}[{number}]", f"gives no value for {', '.join(missing)}", hint)
    if more:
        hint = "every point names the same parameters; the first does not name it"
        raise RequestRefused(f"{FIELD}[{number}].{more[0]}", "is one more", hint)


def _check(field: str, name: str, value: float) -> None:
    if not IDENTIFIER.fullmatch(name):
        raise RequestRefused(field, "is no name", "use a letter, then letters and digits")
    if name in formulas.RESERVED:
        raise RequestRefused(field, f"is {name!r}, which formulas have already", "choose another name")
    if not math.isfinite(value):
        raise RequestRefused(field, f"is {value}", "give a finite number")

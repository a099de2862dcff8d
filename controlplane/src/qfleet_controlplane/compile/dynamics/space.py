"""The declared subsystems of a request, checked."""

import re
from difflib import get_close_matches

from qfleet_controlplane.compile.dynamics.operators import Space
from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_wire import api
from qfleet_wire.workload.dynamics import Subsystem

SUBSYSTEMS = 64
LEVELS = 10_000
"""Most levels of one subsystem."""
IDENTIFIER = re.compile(r"[^\W\d]\w*")
FIELD = "work.subsystems"


def declared(work: api.DynamicsRequest) -> Space:
    """Check the subsystems.

    Raises:
        RequestRefused: one is named badly or twice, or has no size.
    """
    if not work.subsystems:
        raise RequestRefused(FIELD, "is empty", "declare at least one qubit, mode or spin")
    if len(work.subsystems) > SUBSYSTEMS:
        raise RequestRefused(FIELD, f"has {len(work.subsystems)} entries", f"give at most {SUBSYSTEMS}")
    names: list[str] = []
    for number, one in enumerate(work.subsystems):
        field = f"{FIELD}[{number}].name"
        if not IDENTIFIER.fullmatch(one.name):
            raise RequestRefused(field, f"is {one.name[:40]!r}", "use a letter, then letters and digits")
        if one.name in names:
            raise RequestRefused(field, f"is {one.name!r} again", "give each subsystem a name of its own")
        names.append(one.name)
    parts = tuple(_part(f"{FIELD}[{number}]", one) for number, one in enumerate(work.subsystems))
    return Space(tuple(names), parts)


def unknown(field: str, name: str, space: Space) -> RequestRefused:
    """The refusal of a name that is no subsystem's."""
    near = get_close_matches(name, space.names, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"subsystems are {', '.join(space.names[:12])}"
    return RequestRefused(field, f"names {name[:40]!r}, which is no subsystem", hint)


def _part(field: str, one: api.DynamicsSubsystem) -> Subsystem:
    if one.levels and one.kind != "mode":
        raise RequestRefused(f"{field}.levels", f"is given for a {one.kind}", "leave it out; modes have it")
    if one.j and one.kind != "spin":
        raise RequestRefused(f"{field}.j", f"is given for a {one.kind}", "leave it out; spins have it")
    match one.kind:
        case "qubit":
            return Subsystem("qubit", 2)
        case "mode":
            if not 2 <= one.levels <= LEVELS:
                hint = f"give the number of Fock states to keep, 2 to {LEVELS}"
                raise RequestRefused(f"{field}.levels", f"is {one.levels}", hint)
            return Subsystem("mode", one.levels)
        case "spin":
            if not 0.5 <= one.j <= (LEVELS - 1) / 2 or not (2 * one.j).is_integer():
                hint = "give a spin's quantum number: 0.5, 1, 1.5, …"
                raise RequestRefused(f"{field}.j", f"is {one.j:g}", hint)
            return Subsystem("spin", int(2 * one.j) + 1)

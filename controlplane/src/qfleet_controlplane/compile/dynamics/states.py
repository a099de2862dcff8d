"""How subsystems begin: a level, an eigenstate, ``coherent(α)`` or ``thermal(n)``.

Coherent and thermal states are cut off at the mode's levels; one that does not fit is refused with the
share of it that would be lost.
"""

import math
import re

from qfleet_controlplane.compile.dynamics import formulas
from qfleet_controlplane.compile.dynamics.formulas import Names
from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_wire.workload import formula
from qfleet_wire.workload.dynamics import Preparation, Subsystem

LOST = 1e-3
"""Most of a state that a cut-off may take away."""

_WITH_VALUE = re.compile(r"\s*(coherent|thermal)\s*\((.*)\)\s*", re.DOTALL)
_SIGNS = {"+": "+", "-": "-", "+i": "+i", "-i": "-i"}


def parse(field: str, text: str, subsystem: Subsystem, names: Names) -> Preparation:
    """Read how a subsystem begins.

    Raises:
        RequestRefused: it cannot begin so.
    """
    word = text.strip()
    if word.isdecimal():
        if int(word[:9]) >= subsystem.levels:
            raise RequestRefused(field, f"is level {word[:20]}", f"levels are 0 to {subsystem.levels - 1}")
        return Preparation("level", int(word))
    if subsystem.kind == "qubit" and word in _SIGNS:
        return Preparation(word)  # type: ignore[arg-type] # one of the literals
    if subsystem.kind == "spin" and word in ("up", "down"):
        return Preparation("level", 0 if word == "up" else subsystem.levels - 1)
    match = _WITH_VALUE.fullmatch(text)
    if match is None or subsystem.kind != "mode":
        raise RequestRefused(field, f"is {word[:40]!r}", _known(subsystem))
    value = _value(field, match, names)
    return Preparation("coherent" if match[1] == "coherent" else "thermal", 0, value)


def lost(preparation: Preparation, value: complex, levels: int) -> float:
    """Share of a coherent or thermal state beyond the levels of its mode.

    A coherent state's photon numbers are Poissonian with mean |α|²; a thermal state of mean n keeps
    1 - (n / (n + 1))^levels.
    """
    if preparation.kind == "thermal":
        mean = value.real
        return float((mean / (mean + 1.0)) ** levels) if mean > 0 else 0.0
    mean = abs(value) ** 2
    if mean == 0.0:
        return 0.0
    kept = math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(levels))
    return max(0.0, 1.0 - kept)


def _value(field: str, match: re.Match[str], names: Names) -> formula.Formula:
    # Blanks keep the columns of the whole text.
    padded = " " * match.start(2) + match[2]
    value = formulas.parse(field, padded, names, timed=False)
    if match[1] == "thermal" and not formula.is_real(value):
        hint = "a thermal state has a mean number of quanta, 0 or more"
        raise RequestRefused(field, "is complex", hint, match.start(2) + 1)
    return value


def _known(subsystem: Subsystem) -> str:
    levels = f"a level from 0 to {subsystem.levels - 1}"
    more = {
        "qubit": ", '+', '-', '+i' or '-i'",
        "spin": ", 'up' or 'down'",
        "mode": ", 'coherent(1 + 0.5j)' or 'thermal(0.2)'",
    }
    return f"a {subsystem.kind} begins at {levels}{more[subsystem.kind]}"

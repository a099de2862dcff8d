"""Reads a scenario from TOML and checks all of it before anything is computed.

Errors name the file, the line and the reason, and for a name that nothing bears the nearest that something
does.
"""

import difflib
import re
import tomllib

import msgspec

from qfleet_controlplane.network.scenario import checks, walker
from qfleet_controlplane.network.scenario.complaints import Complaints, InvalidScenario
from qfleet_controlplane.network.scenario.lines import Path
from qfleet_controlplane.network.scenario.model import Scenario

_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[(\d+)\]|\[\.\.\.\]")
_UNKNOWN = re.compile(r"unknown field `([^`]*)`")


def read(text: str, source: str) -> Scenario:
    """Read a scenario; its constellations have become satellites. ``source`` names the file in errors.

    Raises:
        InvalidScenario: with file, line and reason.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidScenario(f"{source}: not valid TOML: {error}") from error
    except RecursionError:
        raise InvalidScenario(f"{source}: tables or lists are nested too deeply") from None
    complaints = Complaints(text, source)
    try:
        scenario = msgspec.convert(tables, Scenario)
    except msgspec.ValidationError as error:
        complaints.refuse(*_explained(error, tables))
    checks.check(scenario, complaints)
    made = [one for pattern in scenario.constellations for one in walker.satellites(pattern)]
    return msgspec.structs.replace(scenario, satellites=(*scenario.satellites, *made), constellations=())


def _explained(error: msgspec.ValidationError, tables: dict[str, object]) -> tuple[Path, str]:
    """Where a value is that does not fit, and why it does not."""
    words, _, place = str(error).partition(" - at `$")
    path: list[str | int] = [step[1] or int(step[2]) for step in _STEP.finditer(place) if step[1] or step[2]]
    kind = _kind(path)
    if "[...]" in place:
        path.insert(1, _culprit(tables[str(path[0])], kind))
    unknown = _UNKNOWN.search(words)
    if unknown is None:
        named = f"{path[-1]}: " if path and isinstance(path[-1], str) else ""
        return tuple(path), f"{named}{words}"
    names = [one.name for one in msgspec.structs.fields(kind)]
    near = difflib.get_close_matches(unknown[1], names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return (*path, unknown[1]), f"unknown key {unknown[1]!r}{hint}"


def _kind(path: list[str | int]) -> type[msgspec.Struct]:
    """The struct in which a path ends."""
    fields = {one.name: one.type for one in msgspec.structs.fields(Scenario)}
    inner = getattr(fields.get(str(path[0])), "__args__", ()) if path else ()
    return next((one for one in inner if isinstance(one, type) and issubclass(one, msgspec.Struct)), Scenario)


def _culprit(table: object, kind: type[msgspec.Struct]) -> str:
    """The name of the part that does not fit: the reader keeps the names of a table's parts to itself."""
    assert isinstance(table, dict), "the reader went into it"
    for name, part in table.items():
        try:
            msgspec.convert(part, kind)
        except msgspec.ValidationError:
            return str(name)
    return ""

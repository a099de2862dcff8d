"""Problems from files: what is bundled, or a user's own CSV with checked columns and units."""

from importlib import resources
from pathlib import Path

from qfleet_applications.cities.dispatch import Unit
from qfleet_applications.cities.grid import Grid
from qfleet_applications.cities.roads import Demand, Road, Roads
from qfleet_applications.errors import InvalidData
from qfleet_applications.frame.columns import Column, Frame, read

_DATA = Path(str(resources.files("qfleet_applications.cities"))) / "data"
_MOST = 1e9


def bundled(name: str) -> Path:
    """A file that comes with this pack."""
    return _DATA / f"{name}.csv"


def roads(file: Path | None, usual: str) -> Roads:
    """One-way roads: columns from, to, capacity [veh], time [min]; ``usual`` is bundled.

    Raises:
        InvalidData: the file does not hold any, or one twice.
    """
    path = file or bundled(f"{usual}_roads")
    columns = (
        Column("from", kind="text"),
        Column("to", kind="text"),
        Column("capacity", unit="veh", low=1e-6, high=_MOST),
        Column("time", unit="min", low=1e-6, high=_MOST),
    )
    table = read(path, columns)
    ends = _ends(path, table)
    numbers = zip(ends, table.numbers("capacity"), table.numbers("time"), strict=True)
    found = tuple(Road(*pair, float(capacity), float(minutes)) for pair, capacity, minutes in numbers)
    return Roads(path.stem if file else usual.replace("_", " ").title(), found)


def traffic(file: Path | None, demand: Path | None) -> tuple[Roads, tuple[Demand, ...]]:
    """Roads and a demand table with columns from, to, demand [veh]; Nguyen and Dupuis's without files.

    Raises:
        InvalidData: a file does not hold them, or a pair twice.
    """
    _together(file, demand)
    return roads(file, "nguyen_dupuis"), trips(demand or bundled("nguyen_dupuis_demand"))


def trips(path: Path) -> tuple[Demand, ...]:
    """A demand table: columns from, to, demand [veh].

    Raises:
        InvalidData: the file does not hold any, or a pair twice.
    """
    columns = (
        Column("from", kind="text"),
        Column("to", kind="text"),
        Column("demand", unit="veh", low=1e-6, high=_MOST),
    )
    table = read(path, columns)
    pairs = zip(_ends(path, table), table.numbers("demand"), strict=True)
    return tuple(Demand(*pair, float(vehicles)) for pair, vehicles in pairs)


def charging(file: Path | None, demand: Path | None) -> tuple[Roads, tuple[float, ...]]:
    """Roads, and the vehicles that want to charge at each of their nodes; Sioux Falls without files.

    The demand has columns place, demand [veh], or is that of ``trips``: who arrives somewhere charges there.

    Raises:
        InvalidData: a file does not hold them.
    """
    _together(file, demand)
    known = roads(file, "sioux_falls")
    path = demand or bundled("sioux_falls_demand")
    columns = (
        Column("to", kind="text", optional=True),
        Column("demand", unit="veh", low=0.0, high=_MOST),
    )
    if not read(path, columns).has("to"):
        return known, by_place(path, known, "demand", (), unit="veh")
    arrived = dict.fromkeys(known.nodes, 0.0)
    for one in trips(path):
        if one.end not in arrived:
            raise InvalidData(path, f"place {one.end} is not on the roads", column="to")
        arrived[one.end] += one.vehicles
    return known, tuple(arrived.values())


def by_place(
    file: Path | None, known: Roads, column: str, usual: tuple[float, ...], unit: str = ""
) -> tuple[float, ...]:
    """A number for each intersection of the roads: columns place and ``column``; ``usual`` without a file.

    Raises:
        InvalidData: a place is not on the roads, is there twice, or is missing.
    """
    if file is None:
        return usual
    table = read(file, (Column("place", kind="text"), Column(column, unit, low=0.0, high=_MOST)))
    found: dict[str, float] = {}
    for line, place, number in zip(table.lines, table.texts("place"), table.numbers(column), strict=True):
        if place not in known.nodes or place in found:
            what = f"place {place} is not on the roads, or is there twice"
            raise InvalidData(file, what, line=line, column="place")
        found[place] = float(number)
    if missing := [node for node in known.nodes if node not in found]:
        raise InvalidData(file, f"place {missing[0]} is missing", column="place")
    return tuple(found[node] for node in known.nodes)


def grid(units: Path | None, load: Path | None, choices: int) -> Grid:
    """Units (unit, minimum, maximum, fixed, linear, quadratic, startup) and loads (hour, load).

    Raises:
        InvalidData: a file does not hold them.
    """
    if (units is None) != (load is None):
        hint = "give FILE and --load both"
        raise InvalidData(units or load or _DATA, "units and load belong together", hint=hint)
    path = units or bundled("ieee30_units")
    columns = (
        Column("unit", kind="text"),
        Column("minimum", unit="MW", low=0.0, high=_MOST),
        Column("maximum", unit="MW", low=0.0, high=_MOST),
        Column("fixed", unit="$/h", low=0.0, high=_MOST),
        Column("linear", unit="$/MWh", low=0.0, high=_MOST),
        Column("quadratic", unit="$/MW²h", low=0.0, high=_MOST),
        Column("startup", unit="$", low=0.0, high=_MOST),
    )
    table = read(path, columns)
    numbers = [map(float, table.numbers(column.name)) for column in columns[1:]]
    found = tuple(Unit(*row) for row in zip(table.texts("unit"), *numbers, strict=True))
    for line, unit in zip(table.lines, found, strict=True):
        if unit.minimum > unit.maximum:
            raise InvalidData(path, f"unit {unit.name} has a minimum above its maximum", line=line)
    if len(names := table.texts("unit")) > len(set(names)):
        raise InvalidData(path, "a unit is there twice", column="unit")
    loads = _loads(load or bundled("ieee30_load"))
    name = path.stem if units else "the IEEE 30-bus system"
    return Grid(name, found, loads, choices)


def _loads(path: Path) -> tuple[float, ...]:
    table = read(path, (Column("hour", kind="integer"), Column("load", unit="MW", low=0.0, high=_MOST)))
    hours = [int(hour) for hour in table.numbers("hour")]
    for line, before, after in zip(table.lines[1:], hours, hours[1:], strict=False):
        if after != before + 1:
            what = f"hour {after} follows hour {before}"
            hint = "give every hour once, in order"
            raise InvalidData(path, what, line=line, column="hour", hint=hint)
    return tuple(map(float, table.numbers("load")))


def _together(file: Path | None, demand: Path | None) -> None:
    if (file is None) != (demand is None):
        hint = "give FILE and --demand both"
        raise InvalidData(file or demand or _DATA, "roads and demand belong together", hint=hint)


def _ends(path: Path, table: Frame) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for line, pair in zip(table.lines, zip(table.texts("from"), table.texts("to"), strict=True), strict=True):
        if pair[0] == pair[1] or pair in found:
            what = f"from {pair[0]} to {pair[1]} is no pair, or is given twice"
            raise InvalidData(path, what, line=line)
        found.append(pair)
    return found

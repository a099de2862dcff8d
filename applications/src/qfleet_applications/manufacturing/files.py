"""Problems from files: what is bundled, by name, or a user's own CSV with checked columns and units."""

from importlib import resources
from pathlib import Path

from qfleet_applications.errors import InvalidData
from qfleet_applications.frame.columns import Column, Frame, read
from qfleet_applications.manufacturing.calendar import Machine, Plant
from qfleet_applications.manufacturing.places import Places, geographic, plane
from qfleet_applications.manufacturing.shop import Operation, Shop

_DATA = Path(str(resources.files("qfleet_applications.manufacturing"))) / "data"
_LONGEST = 10_000_000
"""The largest duration, distance or capacity in a file, in its units."""
_PERIODS = 10_000

SHOPS = ("ft06", "la01")
ROUTES = ("burma14", "gr17")


def bundled(name: str) -> Path:
    """A file that comes with this pack."""
    return _DATA / f"{name}.csv"


def shop(file: Path | None, unit: str = "min") -> Shop:
    """A job shop: columns job, step (1 …), machine, duration; bundled are ft06 (the default) and la01.

    Raises:
        InvalidData: the file does not hold one.
    """
    name, path, unit = _found(file, SHOPS, unit)
    columns = (
        Column("job", kind="text"),
        Column("step", kind="integer", low=1, high=1000),
        Column("machine", kind="text"),
        Column("duration", unit=unit, kind="integer", low=1, high=_LONGEST),
    )
    table = read(path, columns, least_rows=2)
    jobs: dict[str, dict[int, Operation]] = {}
    cells = zip(
        table.texts("job"),
        table.numbers("step"),
        table.texts("machine"),
        table.numbers("duration"),
        strict=True,
    )
    for line, (job, step, machine, duration) in zip(table.lines, cells, strict=True):
        steps = jobs.setdefault(job, {})
        if int(step) in steps:
            raise InvalidData(path, f"job {job} has step {int(step)} twice", line=line, column="step")
        steps[int(step)] = Operation(machine, int(duration))
    for job, steps in jobs.items():
        if missing := set(range(1, len(steps) + 1)) - steps.keys():
            raise InvalidData(
                path, f"job {job} has no step {min(missing)}", hint="number its steps 1, 2, 3 …"
            )
    return Shop(
        name, tuple(jobs), tuple(tuple(steps[at] for at in sorted(steps)) for steps in jobs.values()), unit
    )


def places(file: Path | None, unit: str = "mm") -> Places:
    """Places: columns place, x, y; or place, latitude, longitude; or from, to, distance for every pair.

    Bundled are burma14 (the default) and gr17.

    Raises:
        InvalidData: the file holds none.
    """
    name, path, unit = _found(file, ROUTES, unit)
    optional = (
        Column("place", kind="text", optional=True),
        Column("x", unit=unit, low=-_LONGEST, high=_LONGEST, optional=True),
        Column("y", unit=unit, low=-_LONGEST, high=_LONGEST, optional=True),
        Column("latitude", unit="ddd.mm", low=-90, high=90, optional=True),
        Column("longitude", unit="ddd.mm", low=-180, high=180, optional=True),
        Column("from", kind="text", optional=True),
        Column("to", kind="text", optional=True),
        Column("distance", unit=unit, kind="integer", low=0, high=_LONGEST, optional=True),
    )
    table = read(path, optional)
    if all(map(table.has, ("place", "x", "y"))):
        points = _points(table, "x", "y")
        axes = (f"x [{unit}]", f"y [{unit}]")
        return Places(name, _once(path, table, "place"), plane(points), unit, points, axes)
    if all(map(table.has, ("place", "latitude", "longitude"))):
        points = _degrees(path, table)
        drawn = tuple((longitude, latitude) for latitude, longitude in points)
        axes = ("longitude [DDD.MM]", "latitude [DDD.MM]")
        names = _once(path, table, "place")
        return Places(name, names, geographic(points), "km", drawn, axes)
    if all(map(table.has, ("from", "to", "distance"))):
        return _pairs(name, path, table, unit)
    hint = "needed are place, x, y; or place, latitude, longitude; or from, to, distance"
    raise InvalidData(path, "its columns give no distances", line=1, hint=hint)


def _points(table: Frame, one: str, other: str) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in zip(table.numbers(one), table.numbers(other), strict=True))


def _degrees(path: Path, table: Frame) -> tuple[tuple[float, float], ...]:
    """Latitudes and longitudes in DDD.MM: with more than 59 minutes they are likely decimal degrees."""
    points = _points(table, "latitude", "longitude")
    for line, point in zip(table.lines, points, strict=True):
        for column, value in zip(("latitude", "longitude"), point, strict=True):
            minutes = 100 * abs(value - int(value))
            if round(minutes) >= 60:
                told = f"{value:g} has {minutes:.0f} minutes, and a degree has 60"
                hint = "write DDD.MM, degrees and minutes"
                raise InvalidData(path, told, line=line, column=column, hint=hint)
    return points


def _once(path: Path, table: Frame, column: str) -> tuple[str, ...]:
    seen: set[str] = set()
    for line, name in zip(table.lines, table.texts(column), strict=True):
        if name in seen:
            raise InvalidData(path, f"{column} {name} is given twice", line=line, column=column)
        seen.add(name)
    return tuple(table.texts(column))


def _pairs(name: str, path: Path, table: Frame, unit: str) -> Places:
    known: dict[frozenset[str], int] = {}
    ends = list(zip(table.texts("from"), table.texts("to"), strict=True))
    for line, pair, distance in zip(table.lines, ends, table.numbers("distance"), strict=True):
        if pair[0] == pair[1] or frozenset(pair) in known:
            raise InvalidData(path, f"{pair[0]} and {pair[1]} are no pair, or are given twice", line=line)
        known[frozenset(pair)] = int(distance)
    names = tuple(dict.fromkeys(end for pair in ends for end in pair))
    for one in names:
        for other in names:
            if one != other and frozenset((one, other)) not in known:
                raise InvalidData(path, f"the distance of {one} and {other} is missing", column="distance")
    rows = tuple(
        tuple(0 if one == other else known[frozenset((one, other))] for other in names) for one in names
    )
    return Places(name, names, rows, unit)


def plant(machines: Path | None, load: Path | None, unit: str = "MW") -> Plant:
    """Machines (machine, capacity, periods and, if wanted, earliest and latest) and the load by period.

    Without files, the 32 units of the IEEE Reliability Test System and its 52 weekly peaks.

    Raises:
        InvalidData: a file does not hold them.
    """
    if (machines is None) != (load is None):
        raise InvalidData(
            machines or load or _DATA, "machines and load belong together", hint="give FILE and --load both"
        )
    name = "the IEEE RTS-79" if machines is None else machines.stem
    path, loads = machines or bundled("rts79_machines"), load or bundled("rts79_load")
    levels = _loads(loads, unit)
    last = len(levels)
    columns = (
        Column("machine", kind="text"),
        Column("capacity", unit=unit, kind="integer", low=1, high=_LONGEST),
        Column("periods", kind="integer", low=1, high=last),
        Column("earliest", kind="integer", low=1, high=last, optional=True),
        Column("latest", kind="integer", low=1, high=last, optional=True),
    )
    table = read(path, columns)
    _once(path, table, "machine")
    earliest = table.numbers("earliest") if table.has("earliest") else [1.0] * table.rows
    latest = table.numbers("latest") if table.has("latest") else [float(last)] * table.rows
    numbers = table.numbers("capacity"), table.numbers("periods"), earliest, latest
    rows = tuple(
        Machine(machine, int(capacity), int(periods), int(first) - 1, int(until) - 1)
        for machine, capacity, periods, first, until in zip(table.texts("machine"), *numbers, strict=True)
    )
    return Plant(name, rows, levels, unit)


def _loads(path: Path, unit: str) -> tuple[int, ...]:
    """The load of each period, in the order of the periods' numbers."""
    columns = (
        Column("period", kind="integer", low=1, high=_PERIODS),
        Column("load", unit=unit, kind="integer", low=0, high=_LONGEST),
    )
    table = read(path, columns)
    loads: dict[int, int] = {}
    cells = zip(table.numbers("period"), table.numbers("load"), strict=True)
    for line, (period, load) in zip(table.lines, cells, strict=True):
        if int(period) in loads:
            raise InvalidData(path, f"period {int(period)} is given twice", line=line, column="period")
        loads[int(period)] = int(load)
    if missing := set(range(1, len(loads) + 1)) - loads.keys():
        raise InvalidData(
            path, f"there is no period {min(missing)}", column="period", hint="number the periods 1, 2, 3 …"
        )
    return tuple(loads[period] for period in sorted(loads))


def _found(file: Path | None, names: tuple[str, ...], unit: str) -> tuple[str, Path, str]:
    """A name, a path and a unit; bundled problems are asked for by name and have no unit."""
    if file is None:
        return names[0], bundled(names[0]), ""
    if str(file) in names and not file.exists():
        return str(file), bundled(str(file)), ""
    if not file.suffix and not file.exists():
        raise InvalidData(file, "there is no such file", hint=f"bundled are {', '.join(names)}")
    return file.stem, file, unit

"""Price histories: those in the wheel of ``arch``, and the user's own.

``arch`` itself is not imported, which takes seconds; its files are found and read.
"""

import csv
import gzip
import importlib.util
import io
import itertools
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np

from qfleet_applications.errors import InvalidData, InvalidProblem
from qfleet_applications.finance.circuits import Vector
from qfleet_applications.frame import columns
from qfleet_applications.frame.columns import Column

DAILY = {"sp500": "Adj Close", "nasdaq": "Adj Close", "wti": "DCOILWTICO"}
"""Daily series of ``arch.data``, and the column of each that is its price."""
PANEL = ("sp500", "nasdaq", "wti", "crude", "frenchdata")
"""What the bundled panel is made of."""
_FIRST, _LAST = date(1999, 1, 1), date(2018, 11, 30)
"""Months that all series of the bundled panel have."""


@dataclass(frozen=True)
class Panel:
    """Simple returns of some assets, shape (periods, assets)."""

    assets: tuple[str, ...]
    returns: Vector


@dataclass(frozen=True)
class History:
    """Prices of one asset, oldest first."""

    name: str
    prices: Vector
    file: Path

    def losses(self, days: int) -> Vector:
        """What was lost over each ``days`` successive prices, as a share: 1 - p(t + days) / p(t)."""
        if not 1 <= days < len(self.prices):
            raise InvalidProblem(f"{len(self.prices)} prices have no span of {days} days")
        return np.asarray(1.0 - self.prices[days:] / self.prices[:-days])


@dataclass(frozen=True)
class Past:
    """Losses one after another, each over ``days`` prices; in a backtest ``window`` forecast the next."""

    losses: Vector
    days: int = 1
    window: int = 250

    def __post_init__(self) -> None:
        if not 20 <= self.window <= 10_000:
            raise InvalidProblem(f"--window {self.window} is not within 20 to 10000 losses")


def history(source: str) -> History:
    """A bundled history by name, or a CSV file with the columns ``date`` (ISO 8601, ascending) and ``price``.

    Raises:
        InvalidData: the file is not such a table.
    """
    if source in DAILY:
        prices = _daily(source)
        return History(source, np.array([price for _, price in prices]), stored(source))
    file = Path(source)
    if not file.is_file():
        raise InvalidProblem(
            f"--history {source!r} is no file and no bundled history", hint=f"bundled: {', '.join(DAILY)}"
        )
    table = columns.read(file, [Column("date", kind="text"), Column("price", low=1e-9)], least_rows=30)
    days = [_day(file, text, line) for text, line in zip(table.texts("date"), table.lines, strict=True)]
    for before, after, line in zip(days, days[1:], table.lines[1:], strict=False):
        if after <= before:
            raise InvalidData(
                file, f"{after} after {before}", line=line, column="date", hint="sort by date, one row a date"
            )
    return History(file.stem, table.numbers("price"), file)


def panel(file: Path | None) -> Panel:
    """Returns by asset: of a CSV file with columns ``date``, ``asset`` and ``price``; bundled ones without.

    Raises:
        InvalidData: it is not such a table, or an asset lacks a date that others have.
    """
    if file is None:
        return _bundled()
    table = columns.read(
        file, [Column("date", kind="text"), Column("asset", kind="text"), Column("price", low=1e-9)]
    )
    found: dict[str, dict[date, float]] = {}
    cells = zip(table.texts("date"), table.texts("asset"), table.numbers("price"), table.lines, strict=True)
    for text, asset, price, line in cells:
        day = _day(file, text, line)
        if found.setdefault(asset, {}).setdefault(day, float(price)) != price:
            raise InvalidData(file, f"{asset} has two prices on {day}", line=line, column="price")
    days = sorted({day for prices in found.values() for day in prices})
    for asset, prices in found.items():
        if missing := [day for day in days if day not in prices]:
            hint = "give each asset a price on each date, or leave the date out"
            raise InvalidData(file, f"{asset} has no price on {missing[0]}", column="date", hint=hint)
    if len(days) < 3:
        raise InvalidData(file, f"{len(days)} dates are too few for a covariance; at least 3")
    prices_ = np.array([[found[asset][day] for asset in found] for day in days])
    return Panel(tuple(found), prices_[1:] / prices_[:-1] - 1.0)


def stored(name: str) -> Path:
    """Where ``arch`` keeps a data set."""
    specification = importlib.util.find_spec("arch")
    if specification is None or not specification.submodule_search_locations:
        raise ModuleNotFoundError("arch is not installed", name="arch")
    return Path(specification.submodule_search_locations[0]) / "data" / name / f"{name}.csv.gz"


def _bundled() -> Panel:
    """Monthly returns of eight series: month ends of daily prices, monthly crude, and factors of returns."""
    series = {name: _month_ends(_daily(name)) for name in ("sp500", "nasdaq", "wti")}
    monthly = {name: _returns(prices) for name, prices in series.items()}
    brent = [(_slashed(row["Date"]), float(row["Brent"])) for row in _rows("crude")]
    monthly["brent"] = _returns({(day.year, day.month): price for day, price in brent})
    factors = {(int(row["Date"][:4]), int(row["Date"][4:])): row for row in _rows("frenchdata")}
    bill = {month: float(row["RF"]) / 100.0 for month, row in factors.items()}
    monthly["market"] = {month: float(row["Mkt-RF"]) / 100.0 + bill[month] for month, row in factors.items()}
    for name in ("SMB", "HML"):
        # a portfolio of bills and a long and short position
        monthly[name.lower()] = {
            month: float(row[name]) / 100.0 + bill[month] for month, row in factors.items()
        }
    monthly["bill"] = bill
    months = [
        (year, month)
        for year in range(_FIRST.year, _LAST.year + 1)
        for month in range(1, 13)
        if (_FIRST.year, _FIRST.month) < (year, month) <= (_LAST.year, _LAST.month)
    ]
    returns = np.array([[monthly[name][month] for name in monthly] for month in months])
    return Panel(tuple(monthly), returns)


def _daily(name: str) -> list[tuple[date, float]]:
    """Dates and prices; FRED writes a dot where a day has no price."""
    column = DAILY[name]
    return [(_slashed(row["Date"]), float(row[column])) for row in _rows(name) if row[column] != "."]


def _month_ends(prices: list[tuple[date, float]]) -> dict[tuple[int, int], float]:
    return {(day.year, day.month): price for day, price in prices}


def _returns(prices: dict[tuple[int, int], float]) -> dict[tuple[int, int], float]:
    ordered = sorted(prices)
    return {after: prices[after] / prices[before] - 1.0 for before, after in itertools.pairwise(ordered)}


def _rows(name: str) -> list[dict[str, str]]:
    with gzip.open(stored(name)) as opened:
        return list(csv.DictReader(io.TextIOWrapper(opened, encoding="utf-8-sig")))


def _slashed(text: str) -> date:
    """A date as the files of ``arch`` write it: 1/4/1999, or 1999-01-04."""
    form = "%m/%d/%Y" if "/" in text else "%Y-%m-%d"
    return datetime.strptime(text, form).replace(tzinfo=UTC).date()


def _day(file: Path, text: str, line: int) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidData(
            file, f"{text!r} is no date", line=line, column="date", hint="write it like 2024-12-31"
        ) from error

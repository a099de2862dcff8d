"""How a choice of assets is told: each method's portfolio, its gap to the proven best, and a plot."""

import itertools
import math
from collections.abc import Mapping

from qfleet_applications.finance.selecting import Choice
from qfleet_applications.finance.selection import Selection
from qfleet_applications.frame.report import (
    QUANTUM,
    Cell,
    Comparison,
    Figure,
    Kind,
    Measured,
    Report,
    Series,
    Table,
)
from qfleet_applications.frame.versions import versions

ANNEALING = "path-integral annealing"
CP_SAT = "CP-SAT"
MOST_DRAWN = 2000
"""Portfolios that are drawn as a cloud, at most."""
_DEVIATIONS = 1.959963984540054
"""Of a normal distribution, that hold 95 %."""
NOTES = (
    "QAOA's states are simulated, and its angles optimised with exact values, which no hardware gives.",
    "Path-integral annealing is a classical algorithm that imitates a quantum annealer.",
    (
        "The penalty that keeps the number of assets outweighs the objective, so QAOA of few layers tells "
        "right from wrong sizes rather than good from bad portfolios: see the luck of one shot."
    ),
    "Means of past returns are poor forecasts, with a standard error of about volatility / √years.",
    "Equal parts of each asset: weights are not optimised. Not investment advice.",
)


def report(
    selection: Selection,
    title: str,
    found: Mapping[str, Choice],
    proven: Choice,
    settings: dict[str, str],
) -> Report:
    """The report; ``found`` are choices by their methods."""
    repaired = tuple(
        f"{method} drew no portfolio of {selection.choose} assets; its best string was put right "
        "by adding or leaving out assets greedily."
        for method, one in found.items()
        if one.repaired
    )
    compared = [_objective(title, method, one, proven) for method, one in found.items()]
    compared += [_luck(selection, title, method, one) for method, one in found.items() if method != ANNEALING]
    return Report(
        pack="finance",
        command="portfolio",
        title=title,
        comparisons=tuple(compared),
        tables=(_choices(selection, found, proven), _assets(selection)),
        figures=(_figure(selection, title, found, proven),),
        notes=(*repaired, *NOTES),
        settings=settings,
        versions=versions("numpy", "ortools", "arch"),
    )


def _objective(title: str, method: str, one: Choice, proven: Choice) -> Comparison:
    bound = proven.objective if proven.bound is None else proven.bound
    return Comparison(
        problem=title,
        quantity="objective (aversion × variance - mean, per year)",
        unit="",
        goal="lower",
        fleet=Measured(method, one.objective, one.objective, one.objective, one.seconds, kind=_kind(method)),
        classical=Measured(CP_SAT, proven.objective, bound, proven.objective, proven.seconds),
        interval="from what is proven to be out of reach to what was found",
    )


def _luck(selection: Selection, title: str, method: str, one: Choice) -> Comparison:
    """How often a shot is the best portfolio found, beside draws among those of the right size."""
    share, low, high = wilson(one.hits, one.tries)
    random = 1.0 / math.comb(selection.size, selection.choose)
    return Comparison(
        problem=f"{title}, luck of one shot",
        quantity="chance that a shot of the best start is the best portfolio found",
        unit="",
        goal="higher",
        fleet=Measured(method, share, low, high, one.seconds, kind=_kind(method)),
        classical=Measured("a random choice of the right size", random, random, random, 0.0),
        interval="95 % interval (Wilson, J. Am. Stat. Assoc. 22, 209, 1927)",
    )


def _kind(method: str) -> Kind:
    return QUANTUM if method.startswith("QAOA") else "classical"


def wilson(hits: int, tries: int) -> tuple[float, float, float]:
    """A share with its 95 % interval (Wilson 1927)."""
    share, z2 = hits / tries, _DEVIATIONS**2
    middle = (share + z2 / (2 * tries)) / (1.0 + z2 / tries)
    half = _DEVIATIONS / (1.0 + z2 / tries) * math.sqrt(share * (1 - share) / tries + z2 / (4 * tries**2))
    return share, max(0.0, middle - half), min(1.0, middle + half)


def _choices(selection: Selection, found: Mapping[str, Choice], proven: Choice) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for method, one in (*found.items(), (CP_SAT, proven)):
        mean, volatility = selection.yearly(one.chosen)
        names = ", ".join(selection.assets[i] for i in one.chosen)
        hits = f"{one.hits} of {one.tries}" if one.tries else ""
        gap = one.objective - proven.objective
        rows.append((method, names, mean, volatility, one.objective, gap, hits))
    columns = ("method", "assets", "mean per year", "volatility", "objective", "gap to CP-SAT", "how often")
    proof = "proven best" if proven.bound == proven.objective else f"bound {proven.bound:.6g}"
    return Table(f"Portfolios; CP-SAT's is {proof}", columns, tuple(rows))


def _assets(selection: Selection) -> Table:
    rows = tuple((name, *selection.yearly((number,))) for number, name in enumerate(selection.assets))
    return Table("Assets", ("asset", "mean per year", "volatility"), rows)


def _figure(selection: Selection, title: str, found: Mapping[str, Choice], proven: Choice) -> Figure:
    series = []
    if math.comb(selection.size, selection.choose) <= MOST_DRAWN:
        every = [
            selection.yearly(one) for one in itertools.combinations(range(selection.size), selection.choose)
        ]
        series.append(_points("every portfolio", every))
    for method, one in ((CP_SAT, proven), *found.items()):
        series.append(_points(method, [selection.yearly(one.chosen)]))
    return Figure("portfolios", title, "volatility per year", "mean return per year", tuple(series))


def _points(label: str, found: list[tuple[float, float]]) -> Series:
    means, volatilities = zip(*found, strict=True)
    return Series(label, volatilities, means, style="points")

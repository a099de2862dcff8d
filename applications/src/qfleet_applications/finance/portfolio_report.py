"""How a choice of assets is told: each method's portfolio, its gap to the proven best, and a plot."""

import itertools
import math
from collections.abc import Mapping

from qfleet_applications.finance.references import References
from qfleet_applications.finance.selecting import Choice
from qfleet_applications.finance.selection import Selection
from qfleet_applications.finance.weights import Weighted
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
CP_SAT, HIGHS = "CP-SAT", "HiGHS"
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
    (
        "Nobody has to hold equal parts: weights are a convex problem, which needs no qubits. Each is told "
        "with a bound below which no weights lie."
    ),
    "Not investment advice.",
)


def report(
    selection: Selection,
    title: str,
    found: Mapping[str, Choice],
    known: References,
    settings: dict[str, str],
) -> Report:
    """The report; ``found`` are choices by their methods."""
    repaired = tuple(
        f"{method} drew no portfolio of {selection.choose} assets; its best string was put right "
        "by adding or leaving out assets greedily."
        for method, one in found.items()
        if one.repaired
    )
    compared = [_objective(title, method, one, known) for method, one in found.items()]
    compared.append(_parts(title, found, known))
    compared += [_luck(selection, title, method, one) for method, one in found.items() if method != ANNEALING]
    return Report(
        pack="finance",
        command="portfolio",
        title=title,
        comparisons=tuple(compared),
        tables=(_choices(selection, found, known), _weights(selection, known), _assets(selection)),
        figures=(_figure(selection, title, found, known),),
        notes=(*repaired, *_proof(known), *NOTES),
        settings=settings,
        versions=versions("numpy", "ortools", "scipy", "arch"),
    )


def _objective(title: str, method: str, one: Choice, known: References) -> Comparison:
    proven = known.cp_sat
    return Comparison(
        problem=title,
        quantity="objective (aversion × variance - mean, per year)",
        unit="",
        goal="lower",
        fleet=Measured(method, one.objective, one.objective, one.objective, one.seconds, kind=_kind(method)),
        classical=Measured(
            CP_SAT, proven.objective, min(known.bound, proven.objective), proven.objective, proven.seconds
        ),
        interval="from what is proven to be out of reach to what was found",
    )


def _parts(title: str, found: Mapping[str, Choice], known: References) -> Comparison:
    """The best choice in equal parts that ran on the fleet, beside the best weights of as many assets."""
    method, one = min(found.items(), key=lambda item: item[1].objective)
    few = known.few
    return Comparison(
        problem=f"{title}, equal parts or free weights",
        quantity="objective (aversion × variance - mean, per year)",
        unit="",
        goal="lower",
        fleet=Measured(
            f"{method}, equal parts",
            one.objective,
            one.objective,
            one.objective,
            one.seconds,
            kind=_kind(method),
        ),
        classical=Measured(
            "quadratic programme, free weights", few.objective, few.bound, few.objective, known.seconds
        ),
        interval="from what is proven to be out of reach of the assets to what was found",
    )


def _proof(known: References) -> tuple[str, ...]:
    """Where HiGHS did not prove the same choice, or weights of other assets were not searched."""
    told = []
    if known.highs is None:
        told.append(f"{HIGHS} found no choice within its limits: the proof is {CP_SAT}'s alone.")
    elif known.highs.objective != known.highs.bound:
        told.append(f"{HIGHS} ended at its limit: it proves no choice below {known.highs.bound:.6g}.")
    if known.any_few is None:
        told.append(
            "Too many subsets to optimise the weights of each: those of the best equal parts are told."
        )
    return tuple(told)


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


def _choices(selection: Selection, found: Mapping[str, Choice], known: References) -> Table:
    rows: list[tuple[Cell, ...]] = []
    proven = known.cp_sat
    solved = ((CP_SAT, proven), *(((HIGHS, known.highs),) if known.highs is not None else ()))
    for method, one in (*found.items(), *solved):
        mean, volatility = selection.yearly(one.chosen)
        names = ", ".join(selection.assets[i] for i in one.chosen)
        hits = f"{one.hits} of {one.tries}" if one.tries else ""
        gap = one.objective - proven.objective
        rows.append((method, names, mean, volatility, one.objective, gap, hits))
    columns = ("method", "assets", "mean per year", "volatility", "objective", "gap to CP-SAT", "how often")
    proof = "proven best" if known.bound >= proven.objective else f"bound {known.bound:.6g}"
    return Table(f"Portfolios; CP-SAT's is {proof}", columns, tuple(rows))


def _weights(selection: Selection, known: References) -> Table:
    """What free weights reach: of the proven choice, of any as many assets, and of all."""
    number = selection.choose
    named = [("the proven choice", known.same), (f"all {selection.size} assets", known.every)]
    if known.any_few is not None:
        named.insert(1, (f"any {number} assets", known.any_few))
    rows = [_weighted(selection, name, one) for name, one in named]
    columns = ("of", "weights", "mean per year", "volatility", "objective", "none below")
    return Table("Free weights, none negative", columns, tuple(rows))


def _weighted(selection: Selection, name: str, one: Weighted) -> tuple[Cell, ...]:
    held = ", ".join(f"{selection.assets[i]} {one.weights[i]:.1%}" for i in one.chosen)
    return (name, held, *selection.weighted(one.weights), one.objective, one.bound)


def _assets(selection: Selection) -> Table:
    rows = tuple((name, *selection.yearly((number,))) for number, name in enumerate(selection.assets))
    return Table("Assets", ("asset", "mean per year", "volatility"), rows)


def _figure(selection: Selection, title: str, found: Mapping[str, Choice], known: References) -> Figure:
    series = []
    if math.comb(selection.size, selection.choose) <= MOST_DRAWN:
        every = [
            selection.yearly(one) for one in itertools.combinations(range(selection.size), selection.choose)
        ]
        series.append(_points("every portfolio", every))
    for method, one in ((CP_SAT, known.cp_sat), *found.items()):
        series.append(_points(method, [selection.yearly(one.chosen)]))
    series.append(
        _points(f"free weights, {selection.choose} assets", [selection.weighted(known.few.weights)])
    )
    series.append(_points("free weights, all assets", [selection.weighted(known.every.weights)]))
    return Figure("portfolios", title, "volatility per year", "mean return per year", tuple(series))


def _points(label: str, found: list[tuple[float, float]]) -> Series:
    means, volatilities = zip(*found, strict=True)
    return Series(label, volatilities, means, style="points")

"""How prices of options are told: which errors are whose, and who needs how many calls."""

from collections.abc import Sequence
from dataclasses import dataclass

from qfleet_applications.finance import calls, simulation
from qfleet_applications.finance.calls import Calls
from qfleet_applications.finance.contracts import Grid
from qfleet_applications.finance.estimating import Estimate
from qfleet_applications.frame.report import QUANTUM, Cell, Comparison, Figure, Measured, Series, Table

NOTES = (
    "Quantum states are simulated, so times say nothing about quantum hardware.",
    (
        "An interval is about the price on the grid. The grid's own error, of few points and cut tails, is "
        "told beside it. More --qubits and --reach lower it."
    ),
    (
        "The linearised payoff is biased to third order in its scale. Its bias is computed from the exact "
        "expectation on the grid, so the corrected value needs the answer: it shows that the estimate is off "
        "by nothing else. Exact angles have no bias, and take as many gates as the grid has points."
    ),
    calls.NOTE,
    "Where a closed form exists, nobody needs an estimate of it. Not investment advice.",
)


REFERENCE_POWER = 12
"""Sobol points of a scrambling, as a power of 2, for a basket's price, which has no closed form."""


@dataclass(frozen=True)
class Priced:
    """One contract's numbers; payoffs are not discounted, ``reference`` is the price, low and high."""

    grid: Grid
    payoff: Estimate
    exercise: Estimate
    linear: Estimate
    linear_exact: float
    seconds: float
    reference: tuple[float, float, float]
    reference_seconds: float
    calls: Calls

    @property
    def price(self) -> Estimate:
        """The price now, by the estimate."""
        return self.payoff.scaled(self.grid.contract.discount)

    @property
    def name(self) -> str:
        """The contract."""
        return self.grid.contract.name

    @property
    def method(self) -> str:
        """How the reference was found."""
        return (
            "Black-Scholes"
            if self.reference[1] == self.reference[2]
            else f"Monte Carlo, {simulation.SCRAMBLINGS << REFERENCE_POWER:,} Sobol points"
        )


def comparisons(priced: Sequence[Priced], currency: str) -> tuple[Comparison, ...]:
    """By the error of the price, and by calls at equal error."""
    return tuple(one for found in priced for one in (_error(found, currency), *found.calls.comparisons))


def _error(found: Priced, currency: str) -> Comparison:
    """How far off a price can be: of a grid point's estimate, all the way to the price off the grid."""
    price, (true, low, high) = found.price, found.reference
    ends = abs(price.low - true), abs(price.high - true)
    nearest = 0.0 if price.low <= true <= price.high else min(ends)
    return Comparison(
        problem=f"{found.name}, price {true:.6g} {currency} by {found.method}",
        quantity="error of the price",
        unit=currency,
        goal="lower",
        fleet=Measured(
            "amplitude estimation", abs(price.value - true), nearest, max(ends), found.seconds, kind=QUANTUM
        ),
        classical=Measured(found.method, 0.0, 0.0, (high - low) / 2.0, found.reference_seconds),
        interval="from the least to the largest error that the interval of the price allows",
    )


def tables(priced: Sequence[Priced], currency: str, scale: float) -> tuple[Table, ...]:
    """Prices with all errors, payoffs on the grid, and the bias of the linearised payoff."""
    return (
        _prices(priced, currency),
        calls.table(tuple(one.calls for one in priced)),
        _payoffs(priced, currency),
        _bias(priced, currency, scale),
    )


def _prices(priced: Sequence[Priced], currency: str) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in priced:
        on_grid = one.grid.contract.discount * one.grid.expected
        true, price = one.reference[0], one.price
        rows.append(
            (
                one.name,
                price.value,
                price.low,
                price.high,
                on_grid,
                true,
                on_grid - true,
                one.calls.simulated[0].mean,
            )
        )
    columns = (
        "contract",
        "estimate",
        "low",
        "high",
        "on the grid",
        "reference",
        "grid's error",
        "as precise",
    )
    return Table(
        f"Prices in {currency}: reference by closed form or draws, and draws as precise", columns, tuple(rows)
    )


def _payoffs(priced: Sequence[Priced], currency: str) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in priced:
        payoff, exercise = one.payoff, one.exercise
        rows.append(
            (f"{one.name}: expected payoff", payoff.value, payoff.low, payoff.high, one.grid.expected)
        )
        rows.append((f"{one.name}: exercise", exercise.value, exercise.low, exercise.high, one.grid.exercise))
    columns = ("quantity", "estimate", "low", "high", "exact on the grid")
    return Table(f"On the grid: payoffs in {currency}, and probabilities of exercise", columns, tuple(rows))


def _bias(priced: Sequence[Priced], currency: str, scale: float) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in priced:
        bias = one.linear_exact - one.grid.expected
        right = one.linear.scaled(1.0, -bias)
        rows.append((one.name, one.linear.value, one.linear_exact, bias, right.value, right.low, right.high))
    columns = ("contract", "estimate", "without noise", "bias", "corrected", "low", "high")
    return Table(f"Linearised payoff, c = {scale:g}, in {currency}", columns, tuple(rows))


def figure(priced: Sequence[Priced], currency: str) -> Figure:
    """Each price with its interval, beside the grid's and the reference."""
    places = tuple(float(number) for number in range(len(priced)))
    prices = [one.price for one in priced]
    return Figure(
        "prices",
        "Prices of European options",
        "",
        f"price in {currency}",
        (
            Series(
                "amplitude estimation",
                places,
                tuple(one.value for one in prices),
                tuple(one.low for one in prices),
                tuple(one.high for one in prices),
                style="bars",
            ),
            Series(
                "exact on the grid",
                places,
                tuple(one.grid.contract.discount * one.grid.expected for one in priced),
                style="bars",
            ),
            Series(
                "closed form, or many draws", places, tuple(one.reference[0] for one in priced), style="bars"
            ),
        ),
        tuple(one.name for one in priced),
    )

"""Reports of finance on the engines of a device: published values inside their intervals, and repeatable."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.unit.applications.finance_bench import BOOK, CALL
from tests.unit.applications.local import Local

from qfleet_applications.errors import InvalidData, InvalidProblem
from qfleet_applications.finance import estimating, exposures, histories, pricing, quantiles, reading, risk
from qfleet_applications.finance.assessment import Terms
from qfleet_applications.finance.exposures import Exposure
from qfleet_applications.finance.histories import Past
from qfleet_applications.finance.pricing import OptionStudy, OptionTerms
from qfleet_applications.finance.quantiles import Search
from qfleet_applications.frame.report import Measured, Report

SURE = 1.0 - 1e-4
"""All intervals of a report hold together but for this chance; the seeds are fixed, so a test never flips."""


def without_times(report: Report) -> bytes:
    """A report as JSON, its times left out."""

    def untimed(found: Measured) -> Measured:
        return msgspec.structs.replace(found, seconds=0.0)

    compared = tuple(
        msgspec.structs.replace(one, fleet=untimed(one.fleet), classical=untimed(one.classical))
        for one in report.comparisons
    )
    return msgspec.json.encode(msgspec.structs.replace(report, comparisons=compared, seconds=0.0))


def rows(report: Report, title: str) -> dict[str, tuple[float, ...]]:
    """A table's numbers by the name in their first column."""
    (table,) = [one for one in report.tables if one.title.startswith(title)]
    return {
        str(row[0]): tuple(np.nan if cell is None else float(cell) for cell in row[1:]) for row in table.rows
    }


def test_the_published_call_is_covered_and_the_linear_bias_reported() -> None:
    study = OptionStudy((CALL,), OptionTerms(confidence=SURE), {})
    report = study.conduct(Local())
    payoffs = rows(report, "On the grid")
    estimate, low, high, exact = payoffs["call: expected payoff"]
    assert exact == pytest.approx(0.162276, abs=5e-7)
    assert low <= 0.162276 <= high
    assert high - low < 0.0035
    assert low < estimate < high
    _, low, high, exact = payoffs["call: exercise"]
    assert exact == pytest.approx(0.809797, abs=5e-7)
    assert low <= 0.809797 <= high
    biased, noiseless, bias, corrected, low, high = rows(report, "Linearised payoff")["call"]
    assert noiseless == pytest.approx(0.168736, abs=5e-7)
    assert bias == pytest.approx(0.168736 - 0.162276, abs=1e-6)
    assert corrected == pytest.approx(biased - bias)
    assert low <= 0.162276 <= high
    # a closed form exists, and is better in the price
    assert [one.winner for one in report.comparisons] == ["classical", "fleet", "classical"]
    assert report.comparisons[0].classical.value == 0.0


def test_the_published_credit_book_is_covered_in_both_models() -> None:
    report = risk.of_book(None, Terms(confidence=SURE)).conduct(Local())
    measures = rows(report, "Risk at 0.95")
    _, low, high, exact, _ = measures["expected loss"]
    assert exact == pytest.approx(0.649137, abs=5e-7)
    assert low <= 0.649137 <= high
    _, low, high, exact, _ = measures["P(loss ≤ 2)"]
    assert exact == pytest.approx(0.957508, abs=5e-7)
    assert low <= 0.957508 <= high
    assert measures["value at risk (VaR)"][:4] == (2.0, 2.0, 2.0, 2.0)
    assert measures["mean beyond the VaR (CVaR)"][:4] == pytest.approx((3.0, 3.0, 3.0, 3.0))
    error = rows(report, "Model error")
    exact, linear, difference, _, low, high = error["expected loss"]
    assert (exact, linear) == pytest.approx((0.649137, 0.640867), abs=5e-7)
    assert difference == pytest.approx(linear - exact)
    assert low <= 0.640867 <= high
    exact, linear, difference, _, low, high = error["P(loss ≤ 2)"]
    assert (exact, linear) == pytest.approx((0.957508, 0.959090), abs=7e-7)
    assert low <= 0.959090 <= high
    assert report.comparisons[0].winner == "classical"  # the book is enumerated exactly


def test_monte_carlo_is_as_precise_as_the_estimate() -> None:
    study = risk.of_book(None, Terms(epsilon=0.01))
    found = study.found(Local())
    losses = study.exposure.losses
    plain, sobol = found.calls.simulated
    deviation = float(np.sqrt(losses.probabilities @ (losses.values - losses.mean) ** 2))
    reach = estimating.deviations(study.precision.alpha)
    assert reach * deviation / plain.draws**0.5 == pytest.approx(found.mean.half, rel=1e-3)
    assert abs(plain.mean - losses.mean) < 6.2 * deviation / plain.draws**0.5
    assert sobol.half <= found.mean.half
    assert abs(sobol.mean - losses.mean) <= found.mean.half
    assert sobol.draws < plain.draws


def test_calls_are_counted_against_plain_draws_and_against_sobol_points() -> None:
    report = risk.of_book(None, Terms()).conduct(Local())
    _, plain, sobol = report.comparisons
    assert plain.fleet.value == sobol.fleet.value
    assert (plain.classical.method, plain.winner) == ("Monte Carlo", "fleet")
    assert (sobol.classical.method, sobol.winner) == ("Monte Carlo with Sobol points", "classical")
    assert all("not seconds" in one.quantity for one in (plain, sobol))
    (table,) = [one for one in report.tables if one.title.startswith("Calls")]
    (gates, estimated), (numbers, drawn) = [
        (int(str(row[5]).split()[0]), (row[4], row[6])) for row in table.rows[:2]
    ]
    assert numbers == 3  # the factor, and each of two loans
    assert drawn == (plain.classical.value, 3 * plain.classical.value)
    assert estimated == (plain.fleet.value, gates * plain.fleet.value)


def test_reports_are_the_same_but_for_times() -> None:
    for study in (
        risk.of_book(None, Terms(epsilon=0.01, seed=3)),
        pricing.of_file(None, OptionTerms(epsilon=0.01, seed=3), only=("basket",)),
    ):
        one, two = study.conduct(Local()), study.conduct(Local())
        assert without_times(one) == without_times(two)
        assert one.settings["seed"] == "3"
        assert {"qfleet", "numpy", "python"} <= one.versions.keys()
        assert len(one.settings["sha256"]) == 64


def test_another_seed_draws_otherwise() -> None:
    one, two = (risk.of_book(None, Terms(epsilon=0.01, seed=seed)).found(Local()) for seed in (0, 1))
    assert one.mean != two.mean
    assert [drawn.mean for drawn in one.calls.simulated] != [drawn.mean for drawn in two.calls.simulated]


def test_past_returns_of_the_bundled_index() -> None:
    study = risk.of_history("sp500", Terms(unit="%", confidence=SURE), qubits=5)
    report = study.conduct(Local())
    measures = rows(report, "Risk at 0.95")
    for name, (_, low, high, exact, _) in measures.items():
        assert low <= exact <= high, name
    (table,) = [one for one in report.tables if one.title.startswith("Error of the grid")]
    raw = {str(row[0]): row[1] for row in table.rows}
    past = 100.0 * (1.0 - histories.history("sp500").prices[1:] / histories.history("sp500").prices[:-1])
    assert raw["value at risk"] == pytest.approx(np.quantile(past, 0.95, method="inverted_cdf"))
    assert len(past) == 5030


@pytest.mark.parametrize("level", [0.001, 0.3, 0.5, 0.9, 0.99, 0.9999])
def test_the_search_ends_at_the_quantile(level: float) -> None:
    past = np.random.default_rng(2).normal(size=500)
    exposure = exposures.of_past(past, 4)
    study = risk.RiskStudy(exposure, Terms(level=level, epsilon=0.0005), {}, past=Past(past))
    search = study.search()
    place = search.run(Local())
    low, high = search.bounds()
    assert low <= exposure.losses.quantile(level) <= high
    assert low <= place <= high
    assert high - low <= 1


@pytest.mark.parametrize("most", [1, 2, 3, 4, 15, 16, 31, 1000])
def test_levels_divide_the_range_and_rounds_bound_them(most: int) -> None:
    for target in {0, 1, most // 2, most - 1, most}:
        below, reached, asked = -1, most, 0
        while places := quantiles.levels(below, reached):
            assert all(below < place < reached for place in places)
            assert len(set(places)) == len(places)
            reached = min((place for place in places if place >= target), default=reached)
            below = max((place for place in places if place < target), default=below)
            asked += 1
        assert reached == target
        assert asked <= quantiles.rounds(most)


def test_a_book_that_surely_loses_all_has_nothing_beyond() -> None:
    exposure: Exposure = exposures.of_book(BOOK)
    study = risk.RiskStudy(exposure, Terms(level=0.9999, epsilon=0.001), {}, book=BOOK)
    found = study.found(Local())
    assert found.tail.place == 3
    assert found.tail.beyond.value == 3.0
    search = Search(exposure, 0.5, study.precision, 0)
    assert search.first() is not None


def test_the_first_round_is_known_before_it_runs() -> None:
    study = risk.of_book(None, Terms())
    assert [one.kind for one in study.requests()] == ["amplitude.estimate"] * 2
    assert study.qubits == 7
    desk = Local()
    study.conduct(desk)
    assert desk.requests[:2] == list(study.requests())


BOOK_HEADING = "loan,probability,sensitivity,loss [EUR]\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("loan,probability,sensitivity,loss [USD]\nA,0.1,0.1,5\n", r"\[USD\]"),
        (f"{BOOK_HEADING}A,1.1,0.1,5\n", "probability"),
        (f"{BOOK_HEADING}A,0.1,0.1,2.5\n", "whole number"),
        ("loan,chance,sensitivity,loss\nA,0.1,0.1,5\n", "probability"),
        (BOOK_HEADING, "at least 1"),
        (
            f"{BOOK_HEADING}A,0.1,0.1,5\nB,0.1,0.1,5\nA,0.2,0.1,5\n",
            "line 4, column 'loan': 'A' stands in line 2",
        ),
    ],
)
def test_a_book_that_is_none_is_refused(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "book.csv"
    file.write_text(text)
    with pytest.raises(InvalidData, match=words):
        reading.loans(file, "EUR")


HEADING = "contract,kind,spot [EUR],volatility,strike [EUR],rate,days [d]\n"
BASKET = "contract,kind,spot [EUR],volatility,strike [EUR],rate,days [d],weight,correlation\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{HEADING}a,swap,2,0.4,2,0.05,40\n", "swap"),
        (f"{BASKET}a,call,2,0.4,2,0.05,40,1,0\na,call,2,0.4,3,0.05,40,1,0\n", "line 3, column 'strike'"),
        (f"{BASKET}a,call,2,0.4,2,0.05,40,1,0\na,put,2,0.4,2,0.05,40,1,0\n", "line 3, column 'kind'"),
        (f"{HEADING}a,call,2,0.4,2,0.05,40\na,call,2,0.4,2,0.05,40\n", "weight and correlation"),
        (f"{HEADING}a,call,-2,0.4,2,0.05,40\n", "spot"),
    ],
)
def test_contracts_that_are_none_are_refused(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "contracts.csv"
    file.write_text(text)
    with pytest.raises(InvalidData, match=words):
        reading.contracts(file, "EUR")


def test_a_history_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    days = [f"2024-{1 + day // 28:02d}-{1 + day % 28:02d},{100 + day % 7}" for day in range(60)]
    file.write_text("date,price\n" + "\n".join(days) + "\n")
    found = histories.history(str(file))
    assert found.losses(1)[0] == pytest.approx(1.0 - 101.0 / 100.0)
    assert len(found.losses(5)) == 55
    file.write_text("date,price\n" + "\n".join(reversed(days)) + "\n")
    with pytest.raises(InvalidData, match="line 3, column 'date'"):
        histories.history(str(file))
    file.write_text("date,price\n" + "\n".join(["1.2.2024,5", *days]) + "\n")
    with pytest.raises(InvalidData, match="no date"):
        histories.history(str(file))


def test_what_cannot_be_estimated_is_refused() -> None:
    with pytest.raises(InvalidProblem, match="no bundled history"):
        histories.history("dax")
    with pytest.raises(InvalidProblem, match="span of 0 days"):
        histories.history("sp500").losses(0)
    with pytest.raises(InvalidProblem, match="--epsilon"):
        _ = risk.of_book(None, Terms(epsilon=0.5)).precision
    with pytest.raises(InvalidProblem, match="--level"):
        Terms(level=1.0)
    with pytest.raises(InvalidProblem, match="no contract 'x'"):
        pricing.of_file(None, OptionTerms(), only=("x",))
    with pytest.raises(InvalidProblem, match="never change"):
        exposures.of_past(np.ones(40), 3)
    with pytest.raises(InvalidProblem, match="--qubits 13"):
        exposures.of_past(np.arange(40.0), 13)

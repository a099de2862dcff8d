"""Models of finance against published values, Black and Scholes, SciPy, and Qiskit's states."""

import math

import numpy as np
import pytest
from qiskit import qasm3
from qiskit.quantum_info import Statevector
from scipy import stats  # type: ignore[import-untyped]  # ships no types
from tests.unit.applications.finance_bench import BOOK, CALL

from qfleet_applications.errors import InvalidProblem
from qfleet_applications.finance import circuits, contracts, credit
from qfleet_applications.finance.circuits import Circuit, Vector
from qfleet_applications.finance.contracts import Asset, Contract, Grid
from qfleet_applications.finance.credit import Book, Loan
from qfleet_applications.finance.losses import Losses

RNG_SEED = 5


def chances(circuit: Circuit, qubits: tuple[int, ...]) -> Vector:
    """What Qiskit says that some qubits of a program hold."""
    state = Statevector.from_instruction(qasm3.loads(circuit.text))
    return np.asarray(state.probabilities(list(qubits)))


def test_the_published_call_on_three_qubits() -> None:
    grid = Grid(CALL, 3)
    assert grid.expected == pytest.approx(0.162276, abs=5e-7)
    assert grid.exercise == pytest.approx(0.809797, abs=5e-7)
    top = grid.payoff.max()
    chance = grid.probabilities @ circuits.linear_share(grid.payoff / top, 0.25)
    assert top * circuits.from_linear(float(chance), 0.25) == pytest.approx(0.168736, abs=5e-7)


@pytest.mark.parametrize(
    ("linear", "mean", "below"), [(True, 0.640867, 0.959090), (False, 0.649137, 0.957508)]
)
def test_the_published_credit_book(*, linear: bool, mean: float, below: float) -> None:
    losses = credit.distribution(BOOK, linear=linear)
    assert losses.mean == pytest.approx(mean, abs=5e-7)
    assert losses.below(2) == pytest.approx(below, abs=7e-7)
    assert losses.quantile(0.95) == 2
    assert losses.beyond(2) == pytest.approx(3.0)
    assert losses.at(losses.quantile(0.95)) == 2.0


@pytest.mark.parametrize("linear", [True, False])
def test_the_credit_circuit_has_the_distribution_of_the_convolution(*, linear: bool) -> None:
    loans = (Loan("A", 0.15, 0.10, 20), Loan("B", 0.25, 0.05, 40), Loan("C", 0.05, 0.3, 60))
    book = Book(loans, factor_qubits=3, reach=2.5)
    assert (book.step, book.steps, book.sum_qubits, book.qubits) == (20, 6, 3, 10)
    found = chances(credit.circuit(book, linear=linear), book.register)
    exact = credit.distribution(book, linear=linear).probabilities
    assert found == pytest.approx(exact, abs=1e-12)
    assert exact.sum() == pytest.approx(1.0)


def test_a_fine_factor_approaches_the_closed_mean() -> None:
    book = Book(BOOK.loans, factor_qubits=8, reach=6.0)
    assert credit.distribution(book, linear=False).mean == pytest.approx(BOOK.mean, abs=1e-6)
    assert BOOK.mean == pytest.approx(0.65)


def test_draws_from_the_book_have_its_mean() -> None:
    drawn = credit.sampled(BOOK, 200_000, np.random.default_rng(RNG_SEED))
    exact = credit.distribution(BOOK, linear=False)
    error = float(np.std(drawn)) / math.sqrt(len(drawn))
    assert abs(drawn.mean() - exact.mean) < 6.2 * error
    assert set(np.unique(drawn)) == {0.0, 1.0, 2.0, 3.0}


@pytest.mark.parametrize("qubits", [1, 2, 4])
def test_prepare_and_mark_are_exact(qubits: int) -> None:
    rng = np.random.default_rng(RNG_SEED)
    weights = rng.random(1 << qubits)
    weights[0] = 0.0
    weights /= weights.sum()
    shares = rng.random(1 << qubits)
    circuit = Circuit(qubits + 1)
    circuits.prepare(circuit, weights, range(qubits))
    assert chances(circuit, tuple(range(qubits))) == pytest.approx(weights, abs=1e-12)
    circuits.mark(circuit, shares, range(qubits), qubits)
    assert chances(circuit, (qubits,))[1] == pytest.approx(weights @ shares, abs=1e-12)


@pytest.mark.parametrize("amount", [1, 3, 6])
def test_add_is_addition(amount: int) -> None:
    for start in range(8):
        circuit = Circuit(4)
        for bit in range(3):
            if start >> bit & 1:
                circuit.flip((), bit)
        circuit.flip((), 3)
        circuits.add(circuit, amount, 3, (0, 1, 2))
        assert chances(circuit, (0, 1, 2))[(start + amount) % 8] == pytest.approx(1.0)


def test_closed_forms_against_integration() -> None:
    # what the discounted payoff is on average, integrated over the density that SciPy gives
    put = Contract("put", "put", (Asset(2.0, 0.4),), 2.1, 0.05, 40.0)
    spread = Contract("spread", "spread", (Asset(2.0, 0.4),), 1.7, 0.05, 40.0, cap=2.3)
    prices = np.linspace(1e-6, 6.0, 400_001)
    for contract in (CALL, put, spread):
        law = stats.lognorm(math.sqrt(contract.covariance[0, 0]), scale=math.exp(contract.log_means[0]))
        value = contract.discount * np.trapezoid(contract.payoff(prices) * law.pdf(prices), prices)
        assert contracts.closed_form(contract) == pytest.approx(value, abs=1e-9)


def test_a_fine_grid_approaches_the_closed_form() -> None:
    price = CALL.discount * Grid(CALL, 10, reach=8.0).expected
    closed = contracts.closed_form(CALL)
    assert closed is not None
    assert price == pytest.approx(closed, rel=1e-4)


def test_a_basket_against_draws_and_as_the_product_of_its_assets() -> None:
    two = (Asset(2.0, 0.4, 0.5), Asset(3.0, 0.2, 0.5))
    basket = Contract("basket", "call", two, 2.4, 0.05, 40.0, correlation=0.0)
    grid = Grid(basket, 3)
    singles = [Grid(Contract("one", "call", (asset,), 1.0, 0.05, 40.0), 3).probabilities for asset in two]
    assert grid.probabilities == pytest.approx(np.outer(singles[1], singles[0]).reshape(-1))
    assert grid.prices[1] - grid.prices[0] == pytest.approx([grid.prices[1, 0] - grid.prices[0, 0], 0.0])
    correlated = Contract("basket", "call", two, 2.4, 0.05, 40.0, correlation=0.6)
    drawn = contracts.sampled(correlated, 100_000, np.random.default_rng(RNG_SEED))
    fine = correlated.discount * Grid(correlated, 5).expected
    assert fine == pytest.approx(drawn.mean(), rel=0.05)
    assert contracts.closed_form(correlated) is None


def test_measures_of_losses() -> None:
    losses = Losses(-1.0, 0.5, np.array([0.5, 0.3, 0.15, 0.05]), 3)
    assert losses.quantile(0.8) == 1
    assert losses.beyond(1) == pytest.approx((0.15 * 0.0 + 0.05 * 0.5) / 0.2)
    assert losses.shortfall(0.9) == pytest.approx((0.05 * 0.0 + 0.05 * 0.5) / 0.1)
    assert losses.quantile(1.0 - 1e-15) == 3
    assert losses.beyond(3) == losses.at(3)


def test_problems_that_cannot_be_are_refused() -> None:
    with pytest.raises(InvalidProblem, match="needs a loan"):
        Book(())
    with pytest.raises(InvalidProblem, match="more than 1048576: the book needs 27 qubits"):
        Book((Loan("A", 0.1, 0.1, 1), Loan("B", 0.1, 0.1, 1 << 21)))
    with pytest.raises(InvalidProblem, match="9 qubits"):
        Book(BOOK.loans, factor_qubits=9)
    with pytest.raises(InvalidProblem, match="cap"):
        Contract("spread", "spread", (Asset(2.0, 0.4),), 2.0, 0.05, 40.0, cap=1.0)
    with pytest.raises(InvalidProblem, match="correlate"):
        Contract("basket", "call", (Asset(2.0, 0.4),) * 3, 2.0, 0.05, 40.0, correlation=-0.6)
    with pytest.raises(InvalidProblem, match="need 25 qubits"):
        Grid(Contract("basket", "call", (Asset(2.0, 0.4),) * 3, 2.0, 0.05, 40.0), 8)

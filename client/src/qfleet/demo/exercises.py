"""The demo's three jobs, each with answers that are known in closed form.

A line puts a measured value beside the exact one. Sampled frequencies may differ by 4.5 standard
errors of the exact distribution (one honest line in 150,000 does by chance); values evaluated on the
state vector by no more than rounding.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources

from qfleet_wire import api

DEVIATIONS = 4.5
"""Standard errors by which a sampled value may differ."""
_ROUNDING = 1e-9
_RING = 20
_SEED = 20_180_212


@dataclass(frozen=True, slots=True)
class Line:
    """One comparison; ``error`` is the standard error, 0 where the value has none."""

    subject: str
    measured: float
    exact: float
    error: float
    tolerance: float

    @property
    def agrees(self) -> bool:
        """Whether the two values lie as close together as they must."""
        return abs(self.measured - self.exact) <= self.tolerance


@dataclass(frozen=True, slots=True)
class Exercise:
    """A job, what it shows, and how its result compares with what is known."""

    title: str
    request: api.JobRequest
    compare: Callable[[api.ResultView], list[Line]]


def all_of_them() -> tuple[Exercise, ...]:
    """The three jobs in the order in which they are submitted."""
    return (_ghz(), _cat(), _qaoa())


def program(name: str) -> str:
    """The text of one of the demo's programs."""
    return resources.files("qfleet.demo").joinpath("programs", f"{name}.qasm").read_text(encoding="utf-8")


def _ghz() -> Exercise:
    request = api.JobRequest(
        kind="circuit.sample", name="ghz", program=program("ghz"), shots=4096, seed=_SEED
    )

    def compare(result: api.ResultView) -> list[Line]:
        counts = _counts(result)
        return [
            frequency("000", counts.get("000", 0), 4096, 1 / 2),
            frequency("111", counts.get("111", 0), 4096, 1 / 2),
            frequency("any other outcome", _outside(counts, {"000", "111"}), 4096, 0.0),
        ]

    return Exercise("GHZ state of 3 qubits, 4096 shots", request, compare)


def _cat() -> Exercise:
    shots = 8192
    request = api.JobRequest(
        kind="circuit.sample", name="cat-by-fusion", program=program("cat_by_fusion"), shots=shots, seed=_SEED
    )

    def compare(result: api.ResultView) -> list[Line]:
        counts = _counts(result)
        lines = [frequency(f"cat {cat}", _where(counts, cat, 0), shots, 1 / 2) for cat in ("0" * 7, "1" * 7)]
        others = sum(counts.values()) - sum(_where(counts, cat, 0) for cat in ("0" * 7, "1" * 7))
        lines.append(frequency("the 7 bits of the cat differ", others, shots, 0.0))
        for link in range(5):
            ones = sum(count for key, count in counts.items() if _register(key, 1)[-1 - link] == "1")
            lines.append(frequency(f"fusion {link} gave 1", ones, shots, 1 / 2))
        lines.append(_uniform(counts, 64, shots))
        return lines

    title = "cat state of 7 qubits grown from 12 by measurement and feed-forward, 8192 shots"
    return Exercise(title, request, compare)


def _qaoa() -> Exercise:
    edges = " + ".join(f"{1 / _RING:g}*Z{u} Z{(u + 1) % _RING}" for u in range(_RING))
    points = tuple(
        {"gamma": gamma * math.pi / 12, "beta": beta * math.pi / 16}
        # both signs of either angle, and the best point, gamma = pi/4 and beta = pi/8
        for gamma in (-2, -1, 1, 2, 3, 4)
        for beta in (-1, 1, 2, 3)
    )
    request = api.JobRequest(
        kind="circuit.expect",
        name="qaoa-ring",
        program=program("qaoa_ring"),
        observables=(edges,),
        parameters=points,
        seed=_SEED,
    )
    return Exercise("QAOA on a ring of 20, share of edges cut at 24 points", request, _landscape)


def _landscape(result: api.ResultView) -> list[Line]:
    assert isinstance(result, api.ExpectResultView)
    lines = []
    for item in result.items:
        gamma, beta = item.parameters["gamma"], item.parameters["beta"]
        value = item.values[0]
        lines.append(
            Line(
                subject=f"γ = {gamma / math.pi:+.4f} π, β = {beta / math.pi:+.4f} π",
                measured=(1 - value.value) / 2,
                exact=ring_cut(gamma, beta),
                error=value.standard_error / 2,
                tolerance=_ROUNDING if value.exact else DEVIATIONS * value.standard_error / 2,
            )
        )
    return lines


def ring_cut(gamma: float, beta: float) -> float:
    """Probability that QAOA of depth one cuts an edge of a ring of more than three vertices.

    1/2 + 1/4 sin 4β sin 2γ: Wang, Hadfield, Jiang, Rieffel, Phys. Rev. A 97, 022304 (2018), the
    triangle-free case with degree two.
    """
    return 1 / 2 + math.sin(4 * beta) * math.sin(2 * gamma) / 4


def frequency(subject: str, count: int, shots: int, exact: float) -> Line:
    """Compare the share of an outcome with its probability."""
    error = math.sqrt(exact * (1 - exact) / shots)
    return Line(subject, count / shots, exact, error, DEVIATIONS * error)


def _uniform(counts: Mapping[str, int], outcomes: int, shots: int) -> Line:
    """Pearson's χ² of a uniform distribution, divided by its degrees of freedom: 1 ± √(2/k)."""
    expected = shots / outcomes
    missing = (outcomes - len(counts)) * expected
    squared = missing + sum((count - expected) ** 2 / expected for count in counts.values())
    freedom = outcomes - 1
    error = math.sqrt(2 / freedom)
    return Line(f"χ²/k of {outcomes} equal outcomes", squared / freedom, 1.0, error, DEVIATIONS * error)


def _counts(result: api.ResultView) -> Mapping[str, int]:
    assert isinstance(result, api.SampleResultView)
    return result.items[0].counts


def _register(outcome: str, index: int) -> str:
    """One register of an outcome; the one declared last stands leftmost, as index 0."""
    return outcome.split(" ")[index]


def _where(counts: Mapping[str, int], value: str, index: int) -> int:
    return sum(count for key, count in counts.items() if _register(key, index) == value)


def _outside(counts: Mapping[str, int], expected: set[str]) -> int:
    return sum(count for key, count in counts.items() if key not in expected)

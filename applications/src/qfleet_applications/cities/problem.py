"""What the problems of this pack have in common: one model, read back with repair, beside an exact method."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from qfleet import JobRequest
from qfleet_applications.frame.desk import Runner
from qfleet_applications.frame.report import Comparison, Figure, Measured, Report, Table
from qfleet_applications.frame.versions import versions
from qfleet_applications.qubo import proving, sampling
from qfleet_applications.qubo.model import Qubo
from qfleet_applications.qubo.proving import Proof
from qfleet_applications.qubo.sampling import Effort

T = TypeVar("T")
INTERVAL = "exact values"
_SAME = 1e-5
"""Relative: CP-SAT rounds costs."""


class Problem(Protocol[T]):
    """A problem of a city; answers of type T are possible ones, of which the lowest value is sought."""

    @property
    def command(self) -> str:
        """The command's name."""

    @property
    def title(self) -> str:
        """What it is about."""

    @property
    def quantity(self) -> tuple[str, str]:
        """What is minimised, and its unit."""

    @property
    def baseline(self) -> str:
        """The exact method's name."""

    def model(self) -> Qubo:
        """The problem in bits."""

    def read(self, bits: Sequence[int]) -> tuple[T, bool]:
        """The answer that a state means, repaired where need be, and whether it was valid as it is."""

    def value(self, answer: T) -> float:
        """What an answer costs."""

    def exact(self, seed: int) -> Proof[T]:
        """The best answer by the exact method."""

    @property
    def second(self) -> str:
        """The name of another exact method, empty where there is none that is quick enough."""

    def again(self, seed: int) -> Proof[T] | None:
        """The best answer by that other method."""

    def shown(self, ours: T, theirs: T) -> tuple[tuple[Table, ...], tuple[Figure, ...]]:
        """Tables and figures of the fleet's answer and the exact one."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know."""

    @property
    def weights(self) -> dict[str, str]:
        """The weights of the penalties, for the report."""


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """The best answer of a job's states, with how many of them were valid, of how many, and the time."""

    answer: T
    value: float
    valid: int
    kept: int
    seconds: float


@dataclass(frozen=True)
class ProblemStudy(Generic[T]):
    """A problem and how hard to try; tabu search on the same model is a second comparison."""

    problem: Problem[T]
    effort: Effort
    seed: int = 0
    clock: Callable[[], float] = time.perf_counter

    @property
    def title(self) -> str:
        """What it is about."""
        return self.problem.title

    @property
    def qubits(self) -> int:
        """Qubits of the model, which only QAOA needs."""
        return len(self.problem.model()) if self.effort.method == "qaoa" else 0

    def requests(self) -> tuple[JobRequest, ...]:
        """The one job."""
        return (self._request(self.problem.model(), self.effort),)

    def conduct(self, desk: Runner) -> Report:
        """Sample on the fleet, solve exactly, and compare."""
        found = self._found(desk, self.effort)
        proof = self.problem.exact(self.seed)
        comparisons = [self._against(found, self.problem.baseline, proof.value, proof.seconds, proof.note)]
        if self.effort.method != "tabu":
            tabu = self._found(desk, replace(self.effort, method="tabu"))
            comparisons.append(self._against(found, "tabu search", tabu.value, tabu.seconds, "same model"))
        if other := self.problem.again(self.seed):
            second = self.problem.second
            comparisons.append(self._against(found, second, other.value, other.seconds, other.note))
        return self._report(found, (proof, other), tuple(comparisons))

    def _request(self, qubo: Qubo, effort: Effort) -> JobRequest:
        return sampling.request(qubo, effort, seed=self.seed, name=f"{self.problem.command} {effort.method}")

    def _found(self, desk: Runner, effort: Effort) -> Found[T]:
        began = self.clock()
        qubo = self.problem.model()
        view = desk.run(self._request(qubo, effort), f"{self.problem.command}: {effort.method}")
        read = [self.problem.read(state.bits) for state in sampling.states(qubo, view)]
        best = min((answer for answer, _ in read), key=self.problem.value)
        valid = sum(valid for _, valid in read)
        return Found(best, self.problem.value(best), valid, len(read), self.clock() - began)

    def _against(self, found: Found[T], name: str, value: float, seconds: float, note: str) -> Comparison:
        quantity, unit = self.problem.quantity
        ours = Measured(
            self.effort.described, found.value, found.value, found.value, found.seconds, kind=self.effort.kind
        )
        theirs = Measured(name, value, value, value, seconds, note)
        return Comparison(self.title, quantity, unit, "lower", ours, theirs, INTERVAL)

    def _report(
        self, found: Found[T], proofs: tuple[Proof[T], Proof[T] | None], comparisons: tuple[Comparison, ...]
    ) -> Report:
        qubo = self.problem.model()
        tables, figures = self.problem.shown(found.answer, proofs[0].solution)
        return Report(
            pack="cities",
            command=self.problem.command,
            title=self.title,
            comparisons=comparisons,
            tables=tables,
            figures=figures,
            notes=(
                proving.gap("answer", found.value, proofs[0], self.problem.baseline),
                agreement(self.problem, *proofs),
                f"Of {found.kept} states {found.valid} broke no constraint; the others were repaired.",
                *self.problem.notes,
                self.effort.nature,
            ),
            settings={
                "seed": str(self.seed),
                "method": self.effort.described,
                "model": f"{len(qubo)} variables, {qubo.terms} coefficients",
                **self.problem.weights,
            },
            versions=versions("ortools", "networkx"),
        )


def agreement(problem: Problem[T], proof: Proof[T], other: Proof[T] | None) -> str:
    """Whether two exact methods prove the same value, as a sentence."""
    if other is None:
        return f"{problem.baseline} is the only exact method here."
    names = f"{problem.baseline} and {problem.second}"
    same = abs(proof.value - other.value) <= _SAME * max(1.0, abs(proof.value))
    if not (proof.proved and other.proved):
        told = f"{problem.baseline} {proof.value:.6g} ({proof.note}), {problem.second} {other.value:.6g}"
        return f"{names} do not both prove the optimum: {told} ({other.note})."
    if same:
        return f"{names} prove the same optimum, each by itself."
    return f"{names} disagree: {proof.value:.8g} against {other.value:.8g}. One of them is wrong; report it."

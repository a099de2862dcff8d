"""The choice of assets by QAOA and by annealing."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from qfleet import (
    AnnealRequest,
    AnnealResultView,
    Coupling,
    Field,
    JobRequest,
    QaoaAnsatz,
    QuboCost,
    VariationalRequest,
    VariationalResultView,
)
from qfleet_applications.errors import UnexpectedResult
from qfleet_applications.finance.selection import Selection
from qfleet_applications.frame.desk import Runner, expect

KEPT = 50
STARTS, EVALUATIONS = 2, 150
"""Of QAOA: the first start follows an annealing ramp. 16 assets take about ten seconds."""


@dataclass(frozen=True)
class Choice:
    """A choice of assets and its objective. ``bound`` is what none can go below, equal to it where proven."""

    chosen: tuple[int, ...]
    objective: float
    seconds: float
    bound: float | None = None
    hits: int = 0
    tries: int = 0
    repaired: bool = False


def qaoa_request(selection: Selection, *, layers: int, shots: int, seed: int) -> JobRequest:
    """The job that minimises the penalised cost by QAOA and draws from its state."""
    linear, quadratic, offset = selection.penalised()
    fields = tuple(Field(number, float(value)) for number, value in enumerate(linear))
    couplings = tuple(
        Coupling(i, j, float(quadratic[i, j]))
        for i in range(selection.size)
        for j in range(i + 1, selection.size)
    )
    work = VariationalRequest(
        cost=QuboCost(linear=fields, quadratic=couplings, offset=offset),
        ansatz=QaoaAnsatz(layers=layers),
        starts=STARTS,
        evaluations=EVALUATIONS,
        best=KEPT,
    )
    return JobRequest(kind="variational.minimise", name="portfolio, QAOA", work=work, shots=shots, seed=seed)


def anneal_request(selection: Selection, *, reads: int, sweeps: int, seed: int) -> JobRequest:
    """The job that anneals the penalised cost along paths in a transverse field."""
    linear, quadratic, _ = selection.penalised()
    lines = ["# vartype=BINARY", *(f"{i} {i} {float(value)!r}" for i, value in enumerate(linear))]
    lines += [
        f"{i} {j} {float(quadratic[i, j])!r}"
        for i in range(selection.size)
        for j in range(i + 1, selection.size)
    ]
    work = AnnealRequest(
        model="\n".join(lines) + "\n", method="path-integral", reads=reads, sweeps=sweeps, keep=KEPT
    )
    return JobRequest(kind="anneal.sample", name="portfolio, annealing", work=work, seed=seed)


def by_qaoa(desk: Runner, selection: Selection, job: JobRequest) -> Choice:
    """The best choice among what was drawn from QAOA's states; ``hits`` of it in the best start's draws."""
    began = time.perf_counter()
    view = expect(desk.run(job, "portfolio by QAOA"), VariationalResultView)
    seconds = time.perf_counter() - began
    strings = [one.bits for one in (*view.samples, *([view.lowest] if view.lowest else []))]
    if not strings:
        raise UnexpectedResult("QAOA's result has no samples")
    best = _best(selection, [_places(bits) for bits in strings], seconds)
    hits = sum(one.count for one in view.samples if _places(one.bits) == best.chosen)
    return Choice(best.chosen, best.objective, seconds, None, hits, job.shots, best.repaired)


def by_annealing(desk: Runner, selection: Selection, job: JobRequest) -> Choice:
    """The best choice among the lowest states of annealing."""
    began = time.perf_counter()
    view = expect(desk.run(job, "portfolio by annealing"), AnnealResultView)
    seconds = time.perf_counter() - began
    found = [
        tuple(sorted(int(str(name)) for name, value in zip(view.variables, one.values, strict=True) if value))
        for one in view.states
    ]
    best = _best(selection, found, seconds)
    hits = sum(one.reads for one, places in zip(view.states, found, strict=True) if places == best.chosen)
    return Choice(best.chosen, best.objective, seconds, None, hits, view.reads, best.repaired)


def _best(selection: Selection, found: Sequence[tuple[int, ...]], seconds: float) -> Choice:
    """The best of some choices; those of a wrong size count only where none has the right one, repaired."""
    right = [places for places in found if len(places) == selection.choose]
    candidates = right or [selection.repaired(places) for places in found]
    objective, chosen = min((selection.objective(places), places) for places in candidates)
    return Choice(chosen, objective, seconds, repaired=not right)


def _places(bits: str) -> tuple[int, ...]:
    """The assets that a string holds; qubit 0 is rightmost."""
    return tuple(number for number, bit in enumerate(reversed(bits)) if bit == "1")

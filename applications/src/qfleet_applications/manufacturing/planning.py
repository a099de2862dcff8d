"""The search for a level plan of maintenance: blocks of machines are planned anew while the others stay."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from qfleet import JobRequest
from qfleet_applications.frame.desk import Runner
from qfleet_applications.manufacturing import calendar
from qfleet_applications.manufacturing.calendar import Block, Plant
from qfleet_applications.qubo import sampling
from qfleet_applications.qubo.sampling import Effort

Random = np.random.Generator


ROUNDS = 6


@dataclass(frozen=True, slots=True)
class Rounds:
    """How long to search: ``rounds`` of ``abreast`` blocks of ``machines`` with ``choices`` of starts."""

    effort: Effort
    seed: int = 0
    machines: int = 16
    choices: int = 8
    rounds: int = ROUNDS
    abreast: int = 3
    whole: bool = False
    """All machines with all their starts in one model, however large."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one block gave; spreads are standard deviations of the reserve."""

    machines: int
    variables: int
    valid: int
    kept: int
    before: float
    after: float


@dataclass
class Plan:
    """A search under way: the best starts so far, and what each block gave."""

    plant: Plant
    starts: tuple[int, ...]
    steps: list[Step] = field(default_factory=list)


def begun(plant: Plant) -> Plan:
    """A search from the plan of a greedy rule."""
    return Plan(plant, tuple(calendar.greedy(plant)))


def blocks(plan: Plan, rounds: Rounds, chance: Random) -> list[Block]:
    """Some random blocks of machines, or one of all."""
    if rounds.whole:
        return [Block(plan.plant, plan.starts, tuple(range(len(plan.starts))))]
    side = math.isqrt(rounds.effort.part)
    number, choices = min(rounds.machines, side), min(rounds.choices, side)
    rows = (chance.permutation(len(plan.starts))[:number] for _ in range(rounds.abreast))
    return [Block(plan.plant, plan.starts, tuple(sorted(map(int, row))), choices) for row in rows]


def requests(asked: Sequence[Block], rounds: Rounds, seed: int) -> tuple[JobRequest, ...]:
    """The jobs of a round."""
    return tuple(
        sampling.request(
            calendar.model(one)[0],
            rounds.effort,
            seed=seed + at,
            name=f"{one.plant.name}: {len(one.free)} machines",
        )
        for at, one in enumerate(asked)
    )


def search(plan: Plan, desk: Runner, rounds: Rounds, chance: Random) -> None:
    """Ask the rounds; the best block of each counts."""
    for _ in range(rounds.rounds):
        _take(plan, blocks(plan, rounds, chance), desk, rounds)


def _take(plan: Plan, asked: Sequence[Block], desk: Runner, rounds: Rounds) -> None:
    label = f"{plan.plant.name}: spread {plan.plant.spread(plan.starts):.4g}"
    views = desk.run_all(requests(asked, rounds, rounds.seed + len(plan.steps)), label)
    before, found = plan.starts, [plan.starts]
    for block, view in zip(asked, views, strict=True):
        qubo, rows = calendar.model(block)
        read = [calendar.read(block, rows, state.bits) for state in sampling.states(qubo, view)]
        found += [starts for starts, _ in read]
        plan.steps.append(
            Step(
                len(block.free),
                len(qubo),
                sum(valid for _, valid in read),
                len(read),
                plan.plant.spread(before),
                min(plan.plant.spread(starts) for starts, _ in read),
            )
        )
    plan.starts = min(found, key=plan.plant.squares)

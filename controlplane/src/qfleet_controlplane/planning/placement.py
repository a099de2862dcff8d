"""Which region gets which of a job's tasks, and why, in sentences with numbers.

What may never be: a task where no device can run it, or where its data may not go. Among the regions
left, tasks go where they would be finished first, by each region's backlog, workers, speed and
latency; or, where energy is preferred, to the cheapest that are not much slower. A job stays in one
region unless spreading it is worth its price.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from qfleet_controlplane.planning import admission, cost, filling, kinds, methods, needs, plan, regions
from qfleet_controlplane.planning.regions import RegionFacts
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api

SPREAD_GAIN = 0.8
"""A job is spread over regions when that takes at most this share of the time in one …"""
SPREAD_MS = 1_000.0
"""… and saves at least so much: a region learns of its share by the database."""
ENERGY_PATIENCE = 4.0
"""Where energy is preferred, a job may take so many times as long as at best."""


class Wishes(NamedTuple):
    """What a request says about regions."""

    residency: tuple[str, ...] = ()
    prefer: Literal["time", "energy"] = "time"


class Share(NamedTuple):
    """A region's part of a job: positions of slices in its plan."""

    region: str
    positions: range


class Placement(NamedTuple):
    """The plan, which region gets what of it in order of positions, and the sentences that say why.

    ``specification`` is the job as it is computed.
    """

    specification: Specification
    plan: plan.Plan
    shares: tuple[Share, ...]
    sentences: tuple[str, ...]


class _Candidate(NamedTuple):
    """An admitted region, and its workers as they would take this job's tasks."""

    facts: RegionFacts
    crew: filling.Crew
    known: int
    reach_ms: float


def wishes_of(request: api.JobRequest) -> Wishes:
    """What a request says about regions."""
    return Wishes(request.residency, request.prefer)


def place(specification: Specification, facts: Iterable[RegionFacts], wishes: Wishes) -> Placement:
    """Plan a job over the regions that admit it, and divide its tasks among them.

    Raises:
        admission.NothingAdmits: residency or capability leaves no region; names the reasons.
        plan.PlanRefused: the job cannot be planned at all.
    """
    everyone = sorted(facts, key=_name)
    specification = methods.choose(specification, _devices(everyone, wishes))
    requirement = needs.requirement(specification)
    admitted, refusals = admission.admit(everyone, requirement, wishes.residency)
    admitted, passed_over = admission.within_reach(admitted)
    planned = kinds.plan(specification, _fleet(specification, requirement, admitted))
    candidates = [_candidate(entry, requirement, specification, planned) for entry in admitted]
    # The copies of a task belong to one region.
    copies = specification.copies
    counts = [copies * each for each in _divide(candidates, len(planned.slices) // copies, wishes)]
    shares: list[Share] = []
    first = 0
    for candidate, count in zip(candidates, counts, strict=True):
        if count:
            shares.append(Share(candidate.facts.name, range(first, first + count)))
            first += count
    told = [_sentence(candidate, count, first) for candidate, count in zip(candidates, counts, strict=True)]
    order = sorted(range(len(told)), key=lambda index: (-counts[index], index))
    sentences = (*(told[index] for index in order), *passed_over, *refusals)
    return Placement(specification, planned, tuple(shares), sentences)


def _devices(facts: Iterable[RegionFacts], wishes: Wishes) -> list[methods.Device]:
    """Devices of all regions that may have the job."""
    return [
        methods.Device(entry, entry.online > 0 and not region.stale)
        for region in facts
        if regions.carries(region, wishes.residency)
        for entry in region.classes
    ]


def _name(facts: RegionFacts) -> str:
    return facts.name


def _fleet(
    specification: Specification, requirement: needs.Requirement, admitted: Iterable[RegionFacts]
) -> plan.Fleet:
    """All devices of the admitted regions that can run the job now, with their median rates."""
    able = [entry for facts in admitted if not facts.stale for entry in regions.able(facts, requirement)]
    online = [entry for entry in able if entry.online]
    weighed = [
        (
            kinds.rates(specification, cost.calibration_of(entry, specification.capability)),
            max(1, entry.online),
        )
        for entry in online or able
    ]
    return plan.Fleet(
        sum(entry.online for entry in online),
        sum(entry.online * entry.workers for entry in online),
        cost.median(weighed) if weighed else kinds.rates(specification),
    )


def _candidate(
    facts: RegionFacts, requirement: needs.Requirement, specification: Specification, planned: plan.Plan
) -> _Candidate:
    able = regions.able(facts, requirement)
    tasks = max(1, len(planned.slices))
    items = sum(part.items for part in planned.slices) / tasks
    shots = max((part.shots for part in planned.slices), default=0)
    near, reach_ms = regions.nearest(able)
    workers = tuple(
        (entry.online * entry.workers, regions.task_ms(entry, specification, items, shots)) for entry in near
    )
    crew = filling.Crew(start_ms(facts) + reach_ms, workers)
    return _Candidate(facts, crew, sum(entry.known for entry in able), reach_ms)


def start_ms(facts: RegionFacts) -> float:
    """When a task that is given to a region now would begin there, estimated."""
    return (facts.latency_ms or 0.0) + facts.backlog_ms / max(1, facts.workers)


def _divide(candidates: Sequence[_Candidate], tasks: int, wishes: Wishes) -> list[int]:
    """Number of tasks per candidate; regions that are led and have workers go before all others."""
    ready = [index for index, each in enumerate(candidates) if each.crew.hands and not each.facts.stale]
    counts = [0] * len(candidates)
    if not ready:
        counts[max(range(len(candidates)), key=lambda index: _hope(candidates[index], index))] = tasks
        return counts
    crews = [candidates[index].crew for index in ready]
    if wishes.prefer == "energy":
        chosen = _cheapest([candidates[index].facts for index in ready], crews, tasks)
    else:
        chosen = _soonest(crews, tasks)
    for index, count in zip(ready, chosen, strict=True):
        counts[index] = count
    return counts


def _hope(candidate: _Candidate, index: int) -> tuple[bool, int, int]:
    """How likely it is that a region without a worker now will have one."""
    return (not candidate.facts.stale, candidate.known, -index)


def _soonest(crews: Sequence[filling.Crew], tasks: int) -> list[int]:
    """Spread the tasks for the earliest finish, or keep them together where that gains too little."""
    alone_ms, first = min((filling.finish_ms([crew], tasks), index) for index, crew in enumerate(crews))
    spread_ms = filling.finish_ms(crews, tasks)
    if spread_ms <= SPREAD_GAIN * alone_ms and alone_ms - spread_ms >= SPREAD_MS:
        return filling.divide(crews, tasks)
    return [tasks if index == first else 0 for index in range(len(crews))]


def _cheapest(facts: Sequence[RegionFacts], crews: Sequence[filling.Crew], tasks: int) -> list[int]:
    """Fill the cheapest region with what it finishes in time, then the next."""
    by_ms = ENERGY_PATIENCE * filling.finish_ms(crews, tasks)
    counts = [0] * len(crews)
    left = tasks
    for index in sorted(range(len(crews)), key=lambda each: (_price(facts[each]), each)):
        counts[index] = min(left, filling.capacity(crews[index], by_ms))
        left -= counts[index]
    return counts


def _price(facts: RegionFacts) -> float:
    return math.inf if facts.energy_price is None else facts.energy_price


def _sentence(candidate: _Candidate, count: int, tasks: int) -> str:
    """What a region gets and why, or why it gets nothing."""
    facts, crew = candidate.facts, candidate.crew
    if count:
        part = (
            f"All {tasks:,} tasks" if count == tasks > 1 else f"{count:,} of {tasks:,} {_many('task', tasks)}"
        )
        if not facts.reachable:
            return f"{part} to {facts.name}, to wait for its broker, which cannot be reached."
        if not crew.hands or facts.stale:
            return f"{part} to {facts.name}, to wait for a device: {_absence(candidate)}."
        about = cost.in_words(filling.finish_ms([crew], count))
        return f"{part} to {facts.name}: {_means(candidate)}, about {about} to finish."
    if not facts.reachable:
        return f"{facts.name} is not used: {admission.OUT_OF_REACH}."
    if facts.stale or not crew.hands:
        return f"{facts.name} is not used: {_absence(candidate)}."
    about = cost.in_words(filling.finish_ms([crew], tasks))
    return f"{facts.name} is not used: {_means(candidate)}, about {about} for all tasks there."


def _absence(candidate: _Candidate) -> str:
    if candidate.facts.stale:
        return "no controller has spoken for it lately"
    if candidate.known == 0:
        return "no device there has said yet what it can do"
    return f"none of its {candidate.known:,} {_many('device', candidate.known)} that can run it is online"


def _means(candidate: _Candidate) -> str:
    """Workers, what is before the job, distance and price, with numbers."""
    facts = candidate.facts
    hands = candidate.crew.hands
    words = [f"{hands:,} {_many('worker', hands)}"]
    if facts.pending or facts.backlog_ms:
        words.append(f"{cost.in_words(facts.backlog_ms / max(1, facts.workers))} of work before it")
    if facts.latency_ms is not None:
        words.append(f"{cost.in_words(facts.latency_ms)} away")
    if candidate.reach_ms:
        words.append(f"whose answers are about {cost.in_words(candidate.reach_ms)} on their way")
    if facts.energy_price is not None:
        words.append(f"{facts.energy_price:g} per kWh")
    return ", ".join(words)


def _many(noun: str, count: int) -> str:
    return noun if count == 1 else noun + "s"

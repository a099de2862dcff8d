"""Liars and honest devices: the one found soon and never believed, the others never accused."""

import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from tests.simulation.trust_fleet import BITS, LIE, NAMES, SHOTS, TRUTH, Fleet
from tests.unit.core_cases import counted, moments, sample

from qfleet_controlplane.planning import kinds, quorum, trust
from qfleet_wire import workload

LIAR = NAMES[0]
VERSIONS = {"one engine": (1, 1, 1, 1, 1), "five engines": (1, 2, 3, 4, 5), "two engines": (1, 1, 2, 2, 2)}


def test_the_lie_is_of_the_size_that_is_asked_for() -> None:
    assert 0.5 * np.abs(TRUTH - LIE).sum() == pytest.approx(0.1)


@pytest.mark.parametrize("engines", VERSIONS)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_liar_is_found_within_200_of_its_tasks_and_no_lie_counts(engines: str, seed: int) -> None:
    """It lies in 5 % of its tasks; two results must agree about each."""
    chance = random.Random(seed)
    fleet = Fleet(VERSIONS[engines], lambda name: name == LIAR and chance.random() < 0.05)
    liar = fleet.machine.state.devices[LIAR]
    answers: list[bytes] = []
    for number in range(100):
        job = fleet.run(10, agree=2, of=3, seed=1_000 * seed + number)
        assert job.status == "succeeded"
        answers += fleet.answers(job)
        if liar.status == "quarantined":
            break
    assert liar.status == "quarantined"
    assert liar.record.judged <= 200
    assert fleet.false, "it has lied"
    assert not fleet.false.intersection(answers), "and was not believed"
    assert [alarm.subject for alarm in fleet.alarms if alarm.kind == "quarantine"] == [LIAR]
    assert {name for name, one in fleet.machine.state.devices.items() if one.status == "quarantined"} == {
        LIAR
    }


def test_a_fleet_of_honest_devices_has_nothing_to_complain_of() -> None:
    fleet = Fleet(VERSIONS["two engines"], lambda _: False)
    assert fleet.run(300, agree=2, of=3, seed=1).status == "succeeded"
    records = [device.record for device in fleet.machine.state.devices.values()]
    assert sum(record.judged for record in records) >= 200
    assert sum(record.contradicted for record in records) == 0
    assert not fleet.alarms


def counts(chance: np.random.Generator) -> workload.WorkResult:
    """What an engine of another version draws."""
    numbers = chance.multinomial(SHOTS, TRUTH)
    return sample(counted(0, 0, {outcome: int(n) for outcome, n in enumerate(numbers) if n}, BITS))


def values(chance: np.random.Generator) -> workload.WorkResult:
    """Averages of an observable over four blocks of shots, each with its sums."""
    blocks = []
    for block, ones in enumerate(chance.binomial(1024, 0.8, 4)):
        blocks.append(workload.Moments(block, 1024, (float(2 * ones - 1024),), (1024.0,)))
    return moments(0, blocks)


@pytest.mark.parametrize(("answer", "engines"), [(counts, "five"), (values, "five"), (counts, "one")])
def test_of_honest_devices_none_is_accused_in_10000_tasks(
    answer: Callable[[np.random.Generator], workload.WorkResult], engines: str
) -> None:
    """Two devices are asked about each task, a third one decides; with one engine they must be equal."""
    exact = engines == "one"
    chance = np.random.default_rng(2026)
    records = dict.fromkeys(NAMES, trust.UNKNOWN)
    for task in range(10_000):
        one = answer(chance)
        asked = [NAMES[(task + shift) % len(NAMES)] for shift in range(3)]
        said = [one, one if exact else answer(chance), one if exact else answer(chance)]
        verdict = judged(said, exact=exact)
        assert isinstance(verdict, quorum.Agreed)
        for member in verdict.members:
            records[asked[member]] = trust.right(records[asked[member]])
        for other in verdict.outvoted:
            records[asked[other]] = trust.wrong(records[asked[other]], exact=exact)
        assert not any(record.accused for record in records.values())
    assert sum(record.judged for record in records.values()) >= 20_000
    assert max(record.suspicion for record in records.values()) < 1.0


def judged(said: Sequence[workload.WorkResult], *, exact: bool) -> quorum.Verdict:
    """Ask two, then the third if they do not agree."""

    def differ(first: int, second: int) -> bool:
        return kinds.contradiction(said[first], said[second], exact=exact) is not None

    verdict = quorum.judge(2, (0, 1), differ, under_way=0, spare=1)
    if isinstance(verdict, quorum.Agreed):
        return verdict
    return quorum.judge(2, (0, 1, 2), differ, under_way=0, spare=0)


@pytest.mark.parametrize("trial", range(20))
def test_the_lie_differs_from_the_truth_in_every_comparison(trial: int) -> None:
    """With the shots of these tests chance hides it once in more than 1e9 comparisons (z = 9 against 5)."""
    chance = np.random.default_rng(trial)
    lie = chance.multinomial(SHOTS, LIE)
    told = sample(counted(0, 0, {outcome: int(n) for outcome, n in enumerate(lie) if n}, BITS))
    assert kinds.contradiction(told, counts(chance), exact=False) is not None


def test_a_device_that_was_honest_for_long_is_found_when_it_begins_to_lie() -> None:
    record = trust.UNKNOWN
    for _ in range(10_000):
        record = trust.right(record)
    chance, tasks = random.Random(5), 0
    while not record.accused:
        tasks += 1
        record = trust.wrong(record, exact=True) if chance.random() < 0.05 else trust.right(record)
    assert tasks <= 200


@pytest.mark.parametrize("rate", [trust.EXACT_RATE, trust.CHANCE_RATE])
def test_the_bet_against_an_honest_device_is_fair_at_worst(rate: float) -> None:
    """The expectation of each step, with what is not bet yet, does not rise: Ville's inequality needs it."""
    record = trust.UNKNOWN
    for task in range(1, 50):
        before = record.suspicion + 1.0 / task
        good, bad = trust.right(record), trust.wrong(record, exact=rate == trust.EXACT_RATE)
        rest = 1.0 / (task + 1)
        expected = (1.0 - rate) * (good.suspicion + rest) + rate * (bad.suspicion + rest)
        assert expected <= before * (1 + 1e-12)
        record = bad if task % 7 == 0 and not bad.accused else good


def test_what_is_believed_starts_at_one_half_and_falls_faster_than_it_rises() -> None:
    one = trust.UNKNOWN
    assert one.trust == 0.5
    assert trust.right(one).trust > 0.5 > trust.wrong(one, exact=False).trust
    assert trust.wrong(trust.right(one), exact=True).trust < 0.5
    assert trust.doubted(trust.confirmed(one)).trust < 0.5
    assert trust.doubted(one).judged == 0, "nobody is accused of what may be the other's fault"

"""Bugs that are known, planted: the ring finds each of them soon, and nothing without them."""

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from tests.simulation.ring import schedule
from tests.simulation.ring.agent import Agent
from tests.simulation.ring.controller import Controller
from tests.simulation.ring.trace import Violation, names_of

from qfleet_agent.machine import effects as agent_effects
from qfleet_agent.machine import machine as agent_machine
from qfleet_agent.machine import tasks as agent_tasks
from qfleet_agent.machine.events import Key
from qfleet_controlplane.machine import (
    attempts,
    counting,
    devices,
    events,
    leases,
    machine,
    results,
    state,
    ways,
)
from qfleet_controlplane.machine.turn import Turn
from qfleet_controlplane.store import bulk, commit
from qfleet_controlplane.store.tables import work
from qfleet_wire import codec, payloads

MOST_SEEDS = 40
Plant = Callable[[pytest.MonkeyPatch], None]


def sends_before_journalling(patch: pytest.MonkeyPatch) -> None:
    """The agent carries acts out, and writes then."""

    def perform(self: Agent) -> Iterator[str]:
        happened, self._inbox = self._inbox, []
        writes: list[agent_effects.Write] = []
        acts: list[agent_effects.Act] = []
        self.world.trace.note(self.name, f"handles {names_of(happened)}")
        for event in happened:
            self._sort(self._handle(event), writes, acts)
        self._set_timer()
        fresh = {one.key: one.result for one in writes if isinstance(one, agent_effects.SaveResult)}
        for act in acts:
            self._act(act, fresh)
            yield "between acts"
        due = self._gather(writes)
        if due:
            yield from self._save(due)

    patch.setattr(Agent, "_perform", perform)


def acknowledges_before_committing(patch: pytest.MonkeyPatch) -> None:
    """The control plane sends, and commits then."""
    kept = Controller._perform

    def perform(self: Controller, decider: machine.Machine) -> Iterator[str]:
        for event, _ in self._inbox:
            if isinstance(event, events.HeardBatch):
                for flush in (item for item in event.items if isinstance(item, payloads.Results)):
                    told = [codec.decode(raw, payloads.TaskResult) for raw in flush.results]
                    keys = tuple((one.task, one.attempt) for one in told)
                    self.post.send(event.device, [payloads.Acknowledge(keys)])
        yield from kept(self, decider)

    patch.setattr(Controller, "_perform", perform)


def merges_by_arrival(patch: pytest.MonkeyPatch) -> None:
    """The last result of a task counts, and the table takes it."""
    kept = results._again

    def again(turn: Turn, device: state.Device, task: state.Task | None, told: payloads.TaskResult) -> None:
        arrival = arrivals[-1]
        if task is not None and task.status == "succeeded" and arrival.result is told:
            turn.effects.append(counting._saved(turn, device, arrival))
        kept(turn, device, task, told)

    def take(turn: Turn, device: state.Device, arrival: state.Arrival) -> bool:
        arrivals.append(arrival)
        return taken(turn, device, arrival)

    arrivals: list[state.Arrival] = []
    taken = results._take
    patch.setattr(results, "_take", take)
    patch.setattr(results, "_again", again)
    patch.setattr(commit, "_RESULTS", bulk.Insert(work.results, "replace"))


def counts_without_storing(patch: pytest.MonkeyPatch) -> None:
    """A result counts and is acknowledged, and its row is never written."""
    patch.setattr(commit, "_RESULTS", _Nothing())


class _Nothing:
    def write(self, *_: object) -> None:
        """Write nothing."""


def revoking_leaves_the_lease(patch: pytest.MonkeyPatch) -> None:
    """A device that is revoked keeps its tasks."""

    def revoked(turn: Turn, event: events.Revoked) -> None:
        device = devices.find(turn, event.device)
        if devices._step(turn, device, "revoke"):
            device.connected = False

    patch.setitem(machine._HANDLERS, events.Revoked, revoked)


def leases_the_same_attempt_again(patch: pytest.MonkeyPatch) -> None:
    """An attempt that was given up is leased to another device under the same number."""
    kept = attempts.lose

    def lose(turn: Turn, task: state.Task, reason: str) -> None:
        task.attempt -= 1
        kept(turn, task, reason)

    patch.setattr(attempts, "lose", lose)


def drops_what_it_has_sent(patch: pytest.MonkeyPatch) -> None:
    """The agent takes a result for stored once it is on its way."""
    kept = agent_tasks.Tasks.finish

    def finish(self: agent_tasks.Tasks, cause: int, *rest: object) -> list[agent_effects.Effect]:
        wanted = kept(self, cause, *rest)  # type: ignore[arg-type]  # handed through
        sent: list[Key] = [
            key for one in wanted if isinstance(one, agent_effects.SendResults) for key in one.keys
        ]
        for key in sent:
            self.acknowledge(key)
        return [*wanted, agent_effects.DropResults(cause, tuple(sent))] if sent else wanted

    patch.setattr(agent_tasks.Tasks, "finish", finish)


def heeds_a_stale_epoch(patch: pytest.MonkeyPatch) -> None:
    """The agent does what a controller says that was taken over."""
    kept = agent_machine.Machine._heard

    def heard(self: agent_machine.Machine, event: object, now: object) -> list[agent_effects.Effect]:
        seen, self._epoch = self._epoch, 0
        wanted = kept(self, event, now)  # type: ignore[arg-type]  # handed through
        self._epoch = max(self._epoch, seen)
        return wanted

    patch.setattr(agent_machine.Machine, "_heard", heard)


def forgets_to_send_again(patch: pytest.MonkeyPatch) -> None:
    """An assignment or question that was lost is never repeated."""
    patch.setattr(leases, "start_resending", lambda *_: None)


def takes_a_satellite_for_a_cable(patch: pytest.MonkeyPatch) -> None:
    """A device between two windows counts as silent as soon as any other."""
    patch.setattr(ways, "silence_ms", lambda policy, _: policy.silence_ms)


@dataclass(frozen=True)
class Bug:
    """Where it shows, and what it violates."""

    plant: Plant
    weather: str
    violates: str


BUGS = (
    Bug(sends_before_journalling, "crashing", "accepts only what is journalled|works only on what is"),
    Bug(acknowledges_before_committing, "crashing", "acknowledges only what is stored"),
    Bug(merges_by_arrival, "lossy", "a merged result never changes"),
    Bug(counts_without_storing, "lossy", "a success is a result"),
    Bug(revoking_leaves_the_lease, "membership", "a shut-out device holds nothing"),
    Bug(
        leases_the_same_attempt_again, "lossy", "one device per lease|attempts only rise|every lease is known"
    ),
    Bug(drops_what_it_has_sent, "lossy", "no accepted task vanishes|sends only results|accepts only what is"),
    Bug(heeds_a_stale_epoch, "takeover", "a stale epoch does nothing"),
    Bug(forgets_to_send_again, "lossy", "everything comes to its end"),
    Bug(takes_a_satellite_for_a_cable, "ways", "silent only when missed"),
)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.plant.__name__)
def test_planted_bugs_are_found(bug: Bug) -> None:
    gc.disable()
    try:
        with pytest.MonkeyPatch.context() as patch:
            bug.plant(patch)
            seed, message = first_violation(bug.weather)
        assert any(f": {name}" in message for name in bug.violates.split("|")), message
        assert schedule.command(seed, bug.weather) in message
        for sound in range(seed + 1):
            schedule.run(sound, bug.weather)
    finally:
        gc.enable()


def first_violation(weather: str) -> tuple[int, str]:
    for seed in range(MOST_SEEDS):
        try:
            schedule.run(seed, weather)
        except Violation as error:
            return seed, str(error)
    pytest.fail(f"{MOST_SEEDS} seeds of {weather} have found nothing")

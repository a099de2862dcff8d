"""A device that returns with a day's backlog, ten calm ones beside it: sealed messages to handled events.

Time is logical: rounds of the service, and a clock that moves by one round's length with each.
"""

import secrets
from collections.abc import Sequence
from typing import Any, cast

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

from qfleet_controlplane.link.counts import Counts
from qfleet_controlplane.link.inbound import Inbound, Takers
from qfleet_controlplane.link.parts import Parts
from qfleet_controlplane.link.peers import Peers, Shown
from qfleet_controlplane.link.surroundings import Surroundings
from qfleet_controlplane.machine import events
from qfleet_controlplane.metrics import Registry
from qfleet_controlplane.service import inbox
from qfleet_controlplane.service.inbox import Entry, Inbox
from qfleet_wire import codec, payloads
from qfleet_wire.channel import keys, session
from qfleet_wire.names import DeviceName, Millis, RegionName, TaskId
from qfleet_wire.topics import Channel, DeviceTopic, topic_for

REGION = RegionName("north")
NOISY = DeviceName("noisy")
CALM = tuple(DeviceName(f"calm-{number}") for number in range(10))
BACKLOG = 100_000
ROUND_MS = 50
MESSAGES_PER_ROUND = 4_000
START = 1_700_000_000_000


class World:
    """The inbound side of a link over the service's inbox, with devices that share its memory."""

    def __init__(self) -> None:
        self.now = Millis(START)
        self.inbox = Inbox()
        self.asked: list[tuple[DeviceName, payloads.Down]] = []
        self.devices: dict[DeviceName, session.Session] = {}
        self.key = MLDSA65PrivateKey.generate()
        self.peers = Peers()
        self.counts = Counts(Registry())
        around = Surroundings(REGION, self.counts, lambda: self.now, secrets.token_bytes)
        parts = Parts(cast("Any", None), self.peers, cast("Any", self), cast("Any", self), around)
        self.inbound = Inbound(
            parts,
            Takers(self._never, self._never, self._never, self._never, self._post, self._never, self._never),
        )

    def join(self, name: DeviceName) -> None:
        sealed = session.Secrets(secrets.token_bytes(32), secrets.token_bytes(32))
        binding = session.Binding(1, secrets.token_bytes(16), REGION, name)
        terms = session.Terms(certificate_ends=Millis(START * 2))
        self.devices[name] = session.Session("device", sealed, binding, terms, now=self.now)
        ours = session.Session("controller", sealed, binding, terms, now=self.now)
        peer = self.peers.ensure(name)
        peer.propose(ours, Shown(bytes(32), self.key.public_key().public_bytes_raw()), self.now)
        peer.sessions.adopt(ours, self.now)

    def say(self, name: DeviceName, *items: payloads.Up) -> None:
        plaintext = codec.pack(items, epoch=0, sent=self.now)
        envelope = self.devices[name].seal(plaintext, now=self.now, random=secrets.token_bytes)
        self.inbound.receive(topic_for(DeviceTopic(REGION, name, Channel.UP)), envelope)

    def send(self, name: DeviceName, items: Sequence[payloads.Down]) -> None:
        """Stand in for the outbound side."""
        self.asked += [(name, item) for item in items]

    def ring(self, *what: str) -> None:
        """Stand in for the alarms."""
        raise AssertionError(what)

    def round(self) -> list[tuple[DeviceName, payloads.Up]]:
        """One round of the service: what it handles."""
        self.now = Millis(self.now + ROUND_MS)
        handled: list[tuple[DeviceName, payloads.Up]] = []
        for entry in self.inbox.take():
            match entry.event:
                case events.Heard(name, item):
                    handled.append((name, item))
                case events.HeardBatch(name, items):
                    handled += [(name, item) for item in items]
        return handled

    def _post(self, event: events.Event) -> bool:
        return self.inbox.put(Entry(event))

    def _never(self, *_: object) -> None:
        raise AssertionError("nothing but sealed messages was sent")


def beat(sent: int) -> payloads.Heartbeat:
    return payloads.Heartbeat(Millis(sent), 1, 0.0, 1, 1, 0, 0, 0)


@pytest.fixture(name="world")
def _world() -> World:
    world = World()
    for name in (NOISY, *CALM):
        world.join(name)
    return world


def test_a_backlog_of_100000_messages_delays_nobody_else(world: World) -> None:
    quiet = rounds_until_all_calm_are_heard(world)
    assert quiet == 1
    hint = payloads.Progress(TaskId("job-0"), 1, 0.5)
    for sent in range(0, BACKLOG, MESSAGES_PER_ROUND):
        for number in range(sent, sent + MESSAGES_PER_ROUND):
            world.say(NOISY, beat(number), msgspec.structs.replace(hint, task=TaskId(f"job-{number}")))
        assert rounds_until_all_calm_are_heard(world) == quiet
    opened = world.counts.received.values
    assert opened["opened"] + opened["crowded"] >= BACKLOG
    assert opened["crowded"] > BACKLOG / 4
    assert len(world.inbox) <= inbox.LANE_FULL + len(CALM)


def rounds_until_all_calm_are_heard(world: World) -> int:
    for name in CALM:
        world.say(name, beat(world.now))
    waiting = set(CALM)
    for count in range(1, 50):
        waiting -= {name for name, _ in world.round()}
        if not waiting:
            return count
    raise AssertionError(f"{waiting} are not heard")


def test_every_result_of_a_backlog_is_handled_though_many_do_not_fit_at_first(world: World) -> None:
    """The device sends what is not acknowledged again, as its outbox does."""
    left = {f"job-{number}": None for number in range(3 * inbox.LANE_FULL)}
    told: set[str] = set()
    rounds = 0
    while left:
        rounds += 1
        assert rounds < 500
        if rounds % 20 == 1:
            _flush(world, list(left))
        for device, item in world.round():
            assert device == NOISY
            if isinstance(item, payloads.Results):
                for raw in item.results:
                    task = codec.decode(raw, payloads.TaskResult).task
                    left.pop(task, None)
                    told.add(task)
    assert len(told) == 3 * inbox.LANE_FULL
    assert world.inbox.dropped > 0
    assert {item for _, item in world.asked} == {payloads.Ask("announcement"), payloads.Ask("inventory")}


def _flush(world: World, tasks: list[str]) -> None:
    for start in range(0, len(tasks), 512):
        raws = [
            codec.encode(payloads.TaskResult(TaskId(task), 1, "failed", error="none"))
            for task in tasks[start : start + 512]
        ]
        signature = keys.result_signature(world.key, raws)
        world.say(NOISY, payloads.Results(tuple(map(msgspec.Raw, raws)), signature))


def test_a_clock_that_is_set_back_does_not_shut_a_crowded_device_out(world: World) -> None:
    peer = world.peers.ensure(NOISY)
    peer.crowded_until = Millis(world.now + 100)
    world.say(NOISY, beat(1))
    assert world.counts.received.values == {"crowded": 1}
    world.now = Millis(world.now - 3_600_000)
    world.say(NOISY, beat(2))
    assert world.counts.received.values["opened"] == 1

"""How the agent asks for sessions: which pre-shared key it offers, when it resumes, and its lock."""

import asyncio
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import cast

import pytest
from tests.simulation.wire_fleet import DEVICE, NOW, REGION, ControllerEnd, DeviceEnd, Fleet, connect, seeded

from qfleet_agent import status
from qfleet_agent.command import exits
from qfleet_agent.errors import NotEnrolled
from qfleet_agent.journal.journal import Journal
from qfleet_agent.journal.layout import Name
from qfleet_agent.journal.membership import Membership
from qfleet_agent.link.handshakes import Handshakes, Remembered
from qfleet_agent.link.supply import Supply
from qfleet_wire.channel import frames, initiator, keys, resumption
from qfleet_wire.channel.initiator import Circumstances, Standing
from qfleet_wire.channel.preshared import PresharedKey, Ring
from qfleet_wire.channel.renewal import Identities, StoredIdentity
from qfleet_wire.errors import AnotherAnswer, PresharedKeyMissing, Refused
from qfleet_wire.profile import Security
from qfleet_wire.topics import Channel, DeviceTopic, topic_for

HELLO = topic_for(DeviceTopic(REGION, DEVICE, Channel.HELLO))
KEYS = tuple(PresharedKey(f"key-{number}", bytes([number]) * 32) for number in range(3))


@cache
def fleet() -> Fleet:
    return Fleet("agent handshakes")


class Device:
    """A device's handshakes over a journal that is a dictionary, and its controller."""

    def __init__(self, *, required: bool = True) -> None:
        self.own = fleet().device()
        self.journal: dict[Name, bytes | None] = {}
        self.required = required
        self.controller = ControllerEnd(fleet().controller(), ring=Ring(KEYS), require_preshared=required)
        self.handshakes = self.start()

    async def put(self, values: Mapping[Name, bytes | None]) -> None:
        """Stand in for the journal."""
        self.journal.update(values)

    def start(self) -> Handshakes:
        """Start anew with what the journal holds."""
        held, stored = fleet().authority, self.journal.get(Name.RESUMPTION)
        self.handshakes = Handshakes(
            Remembered(
                membership=Membership(
                    held.fleet, REGION, DEVICE, "broker", "login", "password", held.raw, held.hash
                ),
                identities=Identities(StoredIdentity(keys.save(self.own.key), b"csr", self.own.chain)),
                standing=Standing(NOW),
                resumption=resumption.read_state(stored) if stored else None,
                ring=Ring(KEYS if self.required else (), self.used),
                supply=self.supply(),
                mixed=(self.journal.get(Name.MIXED) or b"").decode(),
            ),
            cast("Journal", self),
            state=Path("unused"),
            circumstances=Circumstances(REGION, "boot", self.security()),
            random=seeded("agent handshakes"),
        )
        return self.handshakes

    def supply(self) -> Supply:
        """No key delivery."""
        return Supply()

    def security(self) -> Security:
        """What its profile demands."""
        return Security(require_preshared_key=self.required)

    @property
    def used(self) -> list[str]:
        """Keys that have served, as the journal holds them."""
        return (self.journal.get(Name.USED_PRESHARED_KEYS) or b"").decode().split()

    def offered(self, frame: bytes) -> str | None:
        """Return the id of the key in a hello."""
        return frames.read_body(frames.read(frame, frames.Hello).body, frames.HelloBody).preshared

    def unanswered(self) -> bytes:
        """Ask and give up; return what was asked."""
        frame = self.handshakes.begin()
        self.handshakes.failed()
        return frame

    def reply(self, frame: bytes) -> bytes:
        """Return what the controller replies."""
        ((_, reply),) = self.controller.receive((HELLO, frame))
        return reply

    def refuse(self) -> str | None:
        """Ask, have it refused for its key by anyone, and give up; return the key."""
        frame = self.handshakes.begin()
        forged = frames.refusal(frame, Refused("no", code="preshared-key"))
        assert self.handshakes.refused(frames.read(forged, frames.Refusal))
        self.handshakes.failed()
        return self.offered(frame)

    def connect(self) -> bytes:
        """Open a session; return what was asked."""
        frame = self.handshakes.begin()
        assert asyncio.run(self.handshakes.finish(self.reply(frame))) is not None
        return frame


def kind(frame: bytes) -> frames.Kind:
    return frames.Kind(frame[0])


def test_hellos_that_nobody_answers_use_up_no_key() -> None:
    device = Device()
    asked = [device.unanswered() for _ in range(10)]
    assert len(set(asked)) == len(asked)  # every hello is a new one
    device.start()
    asked.append(device.unanswered())
    assert {device.offered(frame) for frame in asked} == {"key-0"}
    assert device.used == []


def test_a_key_has_served_once_a_session_stands_also_after_a_restart() -> None:
    device = Device()
    assert device.offered(device.connect()) == "key-0"
    assert device.used == ["key-0"]
    device.journal[Name.RESUMPTION] = None
    device.start()
    assert device.offered(device.connect()) == "key-1"
    assert device.used == ["key-0", "key-1"]


def test_when_the_answer_was_lost_the_controller_refuses_the_key_and_the_next_one_serves() -> None:
    device = Device()
    device.reply(device.unanswered())
    again = device.handshakes.begin()
    refusal = frames.read(device.reply(again), frames.Refusal)
    assert (device.offered(again), refusal.code) == ("key-0", "preshared-key")
    assert device.handshakes.refused(refusal)
    device.handshakes.failed()
    assert device.offered(device.connect()) == "key-1"
    assert device.used == ["key-1"]


def test_refusals_that_anyone_can_send_never_drain_the_ring() -> None:
    device = Device()
    refused = [device.refuse() for _ in range(7)]
    assert refused == ["key-0", "key-1", "key-2", "key-0", "key-1", "key-2", "key-0"]
    assert device.used == []
    device.connect()


def test_a_lost_resumption_is_not_the_last_one() -> None:
    device = Device(required=False)
    device.connect()
    asked = [kind(device.unanswered()) for _ in range(4)]
    assert asked == [frames.Kind.RESUME, frames.Kind.HELLO, frames.Kind.RESUME, frames.Kind.HELLO]
    assert kind(device.connect()) is frames.Kind.RESUME


def without_keys(device: Device) -> None:
    device.connect()
    device.journal[Name.USED_PRESHARED_KEYS] = " ".join(key.id for key in KEYS).encode()
    device.start()


def test_without_a_key_for_a_hello_it_goes_on_resuming() -> None:
    device = Device()
    without_keys(device)
    for _ in range(3):
        assert kind(device.unanswered()) is frames.Kind.RESUME
        with pytest.raises(PresharedKeyMissing):  # which makes it wait before it resumes again
            device.handshakes.begin()
        device.handshakes.failed()


def test_without_a_key_a_renewed_identity_does_not_keep_the_old_one_from_resuming() -> None:
    device = Device()
    without_keys(device)
    renewed, old = fleet().device(), device.handshakes.identities.current
    following = StoredIdentity(keys.save(renewed.key), b"csr", renewed.chain)
    device.handshakes._remembered.identities = Identities(old, following)  # keep() would write it
    with pytest.raises(PresharedKeyMissing):
        device.handshakes.begin()
    device.handshakes.failed()
    assert kind(device.connect()) is frames.Kind.RESUME


def test_a_late_answer_of_the_other_kind_is_dropped_without_an_alarm() -> None:
    device, controller = DeviceEnd(fleet().device()), ControllerEnd(fleet().controller())
    connect(device, controller)
    ((_, resumed),) = controller.receive(device.resume())
    resuming = device.attempt
    ((_, answered),) = controller.receive(device.hello())
    greeting = device.attempt
    assert isinstance(resuming, initiator.ResumeAttempt)
    assert isinstance(greeting, initiator.Attempt)
    with pytest.raises(AnotherAnswer):
        initiator.finish(greeting, resumed, device.standing, now=NOW)
    with pytest.raises(AnotherAnswer):
        initiator.finish_resume(resuming, answered, device.standing, now=NOW)
    with pytest.raises(Refused):  # half a frame is no answer to anything
        initiator.finish(greeting, resumed[:-1], device.standing, now=NOW)


def test_a_state_directory_that_is_not_there_is_a_device_that_is_not_enrolled(tmp_path: Path) -> None:
    with pytest.raises(NotEnrolled, match="qfleet-agent enrol") as raised, status.Lock(tmp_path / "none"):
        pass
    assert exits.code_for(raised.value) == exits.CONFIGURATION

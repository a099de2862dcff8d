"""What travels, and how sessions come about: by the real handshakes, or by short letters.

A full handshake costs milliseconds, of which a schedule has a few: so most schedules agree on a
session's keys by a letter that nobody can forge, and the weather ``sealed`` by the real thing. The
sessions themselves, their envelopes, windows and the door are real in both.
"""

import hashlib
from functools import cache
from typing import NamedTuple, TypeAlias

from tests.simulation.wire_fleet import Fleet

from qfleet_wire.channel import authority, frames, initiator, responder, resumption
from qfleet_wire.channel.derivation import Random
from qfleet_wire.channel.identity import Role
from qfleet_wire.channel.session import Binding, Secrets, Session, Terms
from qfleet_wire.errors import RemoteError
from qfleet_wire.names import DeviceName, Millis, RegionName
from qfleet_wire.profile import Security
from qfleet_wire.topics import Channel, DeviceTopic, topic_for

REGIONS = (RegionName("north"), RegionName("south"))
START = Millis(1_800_000_000_000)
"""Where the clocks stand when a schedule begins; the certificates of ``wire_fleet`` hold then."""
_FOREVER = Millis(1 << 60)


class Hello(NamedTuple):
    """A device asks for a session."""

    device: DeviceName
    nonce: bytes


class Answer(NamedTuple):
    """A controller's half, from which both derive the session."""

    nonce: bytes
    secret: bytes


class Hint(NamedTuple):
    """Somebody says that the controller does not know the session, or has just come up."""

    why: str


Letter: TypeAlias = Hello | Answer | Hint
Load: TypeAlias = bytes | Letter


class Message(NamedTuple):
    """On its way; ``up`` is from a device."""

    device: DeviceName
    up: bool
    load: Load


def session_of(hello: Hello, answer: Answer, region: RegionName, role: Role, now: Millis) -> Session:
    """The session that two letters agree on."""
    seed = answer.nonce + answer.secret
    up, down, name = (hashlib.blake2b(seed + bytes([n]), digest_size=32).digest() for n in range(3))
    binding = Binding(1, name[: frames.SESSION_ID_BYTES], region, hello.device)
    return Session(role, Secrets(up, down), binding, Terms(_FOREVER), now=now)


# ── the real handshakes ─────────────────────────────────────────────────────────────────────


@cache
def fleet() -> Fleet:
    """The authority of all schedules: its keys cost milliseconds to make."""
    return Fleet("ring")


@cache
def device_credentials(device: DeviceName) -> authority.Credentials:
    """A device's certificate and key."""
    return fleet().device(device)


@cache
def controller_credentials(region: RegionName) -> authority.Credentials:
    """The certificate and key of a region's controllers."""
    return fleet().controller(region=region)


class Half:
    """What a device keeps between its boots of the sessions it had."""

    def __init__(self, device: DeviceName, region: RegionName, random: Random) -> None:
        self._region = region
        self._own = device_credentials(device)
        self._random = random
        self._standing = initiator.Standing(Millis(0))
        self._state: resumption.State | None = None
        self.attempt: initiator.Attempt | initiator.ResumeAttempt | None = None

    def hello(self, *, resume: bool) -> bytes:
        """Begin a handshake."""
        around = initiator.Circumstances(self._region, "boot", Security())
        if resume and self._state is not None:
            self.attempt = initiator.resume(
                self._state, self._own, self._standing, circumstances=around, random=self._random
            )
        else:
            self.attempt = initiator.hello(self._own, around, preshared=None, random=self._random)
        return self.attempt.frame

    def finish(self, frame: bytes, now: Millis) -> Session | None:
        """Judge an answer; None for one that is not to the present request."""
        try:
            if isinstance(self.attempt, initiator.Attempt):
                done = initiator.finish(self.attempt, frame, self._standing, now=now)
            elif self.attempt is not None:
                done = initiator.finish_resume(self.attempt, frame, self._standing, now=now)
            else:
                return None
        except RemoteError:
            return None
        self.attempt = None
        self._state, self._standing = done.state, done.standing
        return done.session


def answer(
    topic: DeviceTopic, frame: bytes, record: resumption.Record, policy: responder.Policy, random: Random
) -> responder.Answered:
    """A controller's judgement of a request; raises ``Refused``."""
    own = controller_credentials(topic.region)
    if frame[0] == frames.Kind.RESUME:
        asked = responder.examine_resume(own, frame, topic, record=record, now=policy.now)
        return responder.answer_resume(asked, policy, random)
    return responder.answer(own, responder.examine(own, frame, topic), policy, preshared=None, random=random)


def topic(region: RegionName, device: DeviceName, channel: Channel) -> str:
    """The MQTT topic."""
    return topic_for(DeviceTopic(region, device, channel))

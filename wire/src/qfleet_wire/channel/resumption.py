"""What both sides keep to resume: a secret that ratchets, and what was verified when it began.

A resumption runs a fresh key agreement and saves only the signatures. The controller keeps the
secret that is known to be shared and, until the device has confirmed, those it has offered since;
a device holds exactly one of them, whatever was lost on the way.
"""

from typing import Any, Final, TypeVar

import msgspec

from qfleet_wire import codec
from qfleet_wire.channel import derivation
from qfleet_wire.channel.certificates import Validity
from qfleet_wire.channel.chains import Peer
from qfleet_wire.channel.frames import AnswerBody, Bytes16, Bytes32
from qfleet_wire.channel.identity import DeviceIdentity
from qfleet_wire.channel.labels import Label
from qfleet_wire.errors import InvalidKey, InvalidMessage, LimitExceeded, Untrusted
from qfleet_wire.names import DeviceName, FleetName, Millis, RegionName

LIFETIME_MS: Final = 7 * 86_400_000
"""From the full handshake, by the controllers' clock, however often it was resumed since."""
MOST_CANDIDATES: Final = 4


class State(msgspec.Struct, frozen=True):
    """One generation of a resumption secret. ``session`` is the session it was derived with.

    ``controllers`` are the hashes of the controller's certificates in the full handshake, leaf
    first, and ``controller_validity`` what they share: a resumed session trusts no longer than they do.
    """

    secret: Bytes32
    session: Bytes16
    generation: int
    suite: str
    fleet: FleetName
    region: RegionName
    device: DeviceName
    device_certificate: Bytes32
    device_ends: Millis
    controllers: tuple[Bytes32, ...]
    controller_validity: Validity
    since: Millis
    preshared: bool

    def __repr__(self) -> str:
        """Leave out the secret."""
        return f"State({self.region}/{self.device}, generation {self.generation}, …)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Leave out the secret."""
        return [("", repr(self))]


class Record(msgspec.Struct, frozen=True):
    """What a controller stores for a device: the confirmed secret and the offered ones.

    Store it before the answer is sent that a new candidate belongs to.
    """

    confirmed: State | None = None
    offered: tuple[State, ...] = ()

    def find(self, secret_id: bytes) -> State | None:
        """Return the generation with this id."""
        held = (self.confirmed, *self.offered) if self.confirmed else self.offered
        for state in held:
            if identifier(state.secret) == secret_id:
                return state
        return None

    def offer(self, state: State) -> "Record":
        """Add a generation that the device may or may not come to hold."""
        return Record(self.confirmed, (*self.offered, state)[-MOST_CANDIDATES:])

    def confirm(self, session: bytes) -> "Record":
        """Keep only the generation of this session, whose first message has opened."""
        for state in self.offered:
            if state.session == session:
                return Record(state)
        return self


def identifier(secret: bytes) -> bytes:
    """Return the public id of a resumption secret, 16 bytes."""
    return derivation.expand(secret, Label.RESUMPTION_ID)[:16]


def begin(device: Peer, controller: Peer, body: AnswerBody, *, region: RegionName, secret: bytes) -> State:
    """Return the first generation, after a full handshake that ended in this answer."""
    if not isinstance(device.identity, DeviceIdentity):
        raise Untrusted("a handshake begins at a device")
    return State(
        secret=secret,
        session=body.session,
        generation=0,
        suite=body.suite,
        fleet=device.identity.fleet,
        region=region,
        device=device.identity.device,
        device_certificate=device.certificate_hash,
        device_ends=device.validity.not_after,
        controllers=controller.hashes,
        controller_validity=controller.validity,
        since=Millis(body.time),
        preshared=body.preshared is not None,
    )


def following(state: State, secret: bytes, session: bytes) -> State:
    """Return the next generation, which inherits everything that was verified."""
    return msgspec.structs.replace(state, secret=secret, session=session, generation=state.generation + 1)


def expired(state: State, now: Millis) -> bool:
    """Whether a secret is too old; ``now`` is a controller's clock."""
    return now - state.since > LIFETIME_MS


def write(value: State | Record) -> bytes:
    """Encode for storage. What comes out is secret."""
    return codec.encode(value)


def read_state(data: bytes) -> State:
    """Decode a device's stored state; raises ``InvalidKey`` when it is damaged."""
    return _read(data, State)


def read_record(data: bytes) -> Record:
    """Decode a controller's stored record; raises ``InvalidKey`` when it is damaged."""
    return _read(data, Record)


T = TypeVar("T")


def _read(data: bytes, kind: type[T]) -> T:
    try:
        return codec.decode(data, kind)
    except (InvalidMessage, LimitExceeded) as error:
        raise InvalidKey("stored resumption state is damaged: drop it, a full handshake follows") from error

"""What an end wants done, in this order, each durable before the next.

Every effect may be asked for again after a restart, and must then change nothing that is done. Where one
cannot be done, as with a store that is full, those behind it must not be: drop the end and restore it from
what is saved, as after a restart.
"""

import hashlib
from typing import Literal, TypeAlias

import msgspec

from qfleet_agent.qkd import plan
from qfleet_agent.qkd.estimation import Estimate
from qfleet_agent.qkd.exchange.states import State
from qfleet_agent.qkd.watch import Reason

Role: TypeAlias = Literal["alice", "bob"]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What is saved of a session: enough to settle it after a restart, and nothing secret.

    ``transcript`` is set from ``held`` on, ``why`` where it is gone. ``simulated`` says that no light was
    sent; a record that does not say so is of before there was anything else.
    """

    role: Role
    plan: plan.Plan
    state: State
    transcript: bytes = b""
    estimate: Estimate | None = None
    why: str = ""
    simulated: bool = True


def block(session: str) -> bytes:
    """The name of a session's key in a key store, 16 bytes: no secret, and the same at both ends."""
    return hashlib.sha256(b"qfleet1 key of session " + session.encode()).digest()[:16]


class Save(msgspec.Struct, frozen=True):
    """Store the record in place of the one of the same session."""

    record: Record


class Keep(msgspec.Struct, frozen=True):
    """Store the key as provisional, and the record, in one transaction."""

    record: Record
    key: bytes

    def __repr__(self) -> str:
        return f"Keep({self.record.plan.session!r}, {8 * len(self.key)} bits)"


class Release(msgspec.Struct, frozen=True):
    """From now on the key may be used; store the record in the same transaction."""

    record: Record


class Destroy(msgspec.Struct, frozen=True):
    """Destroy what there is of the key; store the record in the same transaction."""

    record: Record


class Forget(msgspec.Struct, frozen=True):
    """The record of this session is not needed any more. The key, where it was released, stays."""

    session: str


class Alarm(msgspec.Struct, frozen=True):
    """Somebody may be listening or forging: what was seen, in words with numbers."""

    session: str
    reason: Reason
    seen: str


class Send(msgspec.Struct, frozen=True):
    """Send these bytes to the other end on the sealed path; they may get lost."""

    data: bytes

    def __repr__(self) -> str:
        return f"Send({len(self.data)} bytes)"


Effect: TypeAlias = Save | Keep | Release | Destroy | Forget | Alarm | Send

"""Numbers, repeats and tags of the messages of one end: what is lost is sent again, what comes twice is one.

The transcript is a digest of the numbered messages, each direction by itself, so that two ends have the same
one exactly when each heard all that the other said, in order and unchanged.
"""

import hashlib

import msgspec

from qfleet_agent.qkd.authentication import TAG_BYTES, Direction, Tagger
from qfleet_agent.qkd.errors import ExchangeForged, ExchangeInvalid
from qfleet_agent.qkd.exchange.effects import Role
from qfleet_agent.qkd.exchange.messages import (
    Body,
    Envelope,
    Forgotten,
    Gone,
    Held,
    Numbered,
    Released,
    Settling,
)
from qfleet_wire import codec
from qfleet_wire.errors import RemoteError

_PADS: dict[type[Settling], int] = {Held: 0, Released: 1, Gone: 2}
"""Each is said with one content in a session, so that its pad meets one message. ``Forgotten`` needs none:
all it can do is to have a record dropped that has no more use."""
_FIRST_PAD = len(_PADS)


def direction(role: Role) -> Direction:
    """The direction of what an end says."""
    return "from alice" if role == "alice" else "from bob"


class Postbox:
    """The messages of one end of a session.

    Args:
        session: Its name. role: Whose. tagger: With the link's key, where messages are tagged.
    """

    def __init__(self, session: str, role: Role, tagger: Tagger | None) -> None:
        self._session = session
        self._role: Role = role
        self._tagger = tagger
        self._waiting: dict[int, Envelope] = {}
        self._said = 0
        self._heard = 0
        self._chains: dict[Role, bytes] = {"alice": b"", "bob": b""}

    def numbered(self, body: Numbered) -> bytes:
        """The bytes of a new numbered message, which is sent again until it is heard."""
        self._said += 1
        data = codec.encode(body)
        self._note(self._role, data)
        made = Envelope(self._session, self._said, 0, data, self._tag(_FIRST_PAD + self._said, data))
        self._waiting[self._said] = made
        return self._bytes(made)

    def settling(self, body: Settling) -> bytes:
        """The bytes of a message that stands for itself."""
        data = codec.encode(body)
        pad = _PADS.get(type(body))
        tag = b"" if pad is None else self._tag(pad, data)
        return self._bytes(Envelope(self._session, 0, 0, data, tag))

    def unheard(self) -> list[bytes]:
        """All numbered messages that the other end has not confirmed, in order."""
        return [self._bytes(self._waiting[number]) for number in sorted(self._waiting)]

    def receipt(self) -> bytes:
        """A message that says nothing but what was heard."""
        return self._bytes(Envelope(self._session, 0, 0, b""))

    def opened(self, data: bytes) -> tuple[Envelope, Body | None]:
        """A message of the other end; None for a receipt, and for a numbered one that is not the next.

        Raises:
            ExchangeForged: Where its tag is wrong.
            ExchangeInvalid: Where it is no message of this session.
        """
        read = envelope(data)
        if read.session != self._session:
            raise ExchangeInvalid(f"a message of the session {read.session!r} came to {self._session!r}")
        if read.body:
            self._check(read)
        # What was heard is confirmed by the way; a number never said confirms nothing.
        for number in [number for number in self._waiting if number <= read.heard]:
            del self._waiting[number]
        if not read.body or read.number not in (0, self._heard + 1):
            return read, None
        body = _body(read)
        if read.number:
            self._heard = read.number
            self._note("bob" if self._role == "alice" else "alice", read.body)
        return read, body

    def transcript(self) -> bytes:
        """The digest of all that both ends said so far."""
        return _chained(self._chains["alice"], self._chains["bob"])

    def _check(self, read: Envelope) -> None:
        if self._tagger is None:
            return
        pad = _FIRST_PAD + read.number
        if read.number == 0:
            settling = _settling(read)
            if settling is Forgotten:
                return
            pad = _PADS[settling]
        other = direction("bob" if self._role == "alice" else "alice")
        self._tagger.check(other, pad, self._covered(read.number, read.body), read.tag)

    def _tag(self, pad: int, data: bytes) -> bytes:
        if self._tagger is None:
            return b""
        number = pad - _FIRST_PAD if pad >= _FIRST_PAD else 0
        return self._tagger.tag(direction(self._role), pad, self._covered(number, data))

    def _covered(self, number: int, data: bytes) -> bytes:
        return codec.encode(Envelope(self._session, number, 0, data))

    def _note(self, role: Role, data: bytes) -> None:
        self._chains[role] = _chained(self._chains[role], data)

    def _bytes(self, made: Envelope) -> bytes:
        return codec.encode(msgspec.structs.replace(made, heard=self._heard))


def _chained(before: bytes, data: bytes) -> bytes:
    """A digest of a digest, or of nothing, and of what follows it."""
    label = b"qfleet1 key exchange transcript" + bytes([len(before)])
    return hashlib.sha256(label + before + data).digest()


def envelope(data: bytes) -> Envelope:
    """Read the outside of a message.

    Raises:
        ExchangeInvalid: Where it is none.
    """
    try:
        read = codec.decode(data, Envelope)
    except RemoteError as error:
        raise ExchangeInvalid(f"not a message of a key exchange: {error}") from error
    if read.number < 0 or len(read.tag) > TAG_BYTES:
        raise ExchangeInvalid("not a message of a key exchange: its number or its tag is none")
    return read


def _settling(read: Envelope) -> type[Settling]:
    """The kind of a settling message, before anything else of it is believed."""
    try:
        body = _body(read)
    except ExchangeInvalid as error:
        raise ExchangeForged("a message that settles a session does not bear its tag") from error
    assert isinstance(body, Settling)
    return type(body)


def _body(read: Envelope) -> Body:
    kinds = Numbered if read.number else Settling
    try:
        body: Body = codec.decode(read.body, kinds)  # type: ignore[arg-type] # a union is read as one
    except RemoteError as error:
        raise ExchangeInvalid(f"message {read.number} does not read: {error}") from error
    return body

"""Numbers, repeats and tags of what an end says: what is lost is sent again, what comes twice is one."""

from typing import Any, NamedTuple

import msgspec

from qfleet_agent.qkd.authentication import TAG_BYTES, Purpose, Tagger
from qfleet_agent.qkd.errors import ExchangeForged, ExchangeInvalid
from qfleet_agent.qkd.exchange.effects import Role
from qfleet_agent.qkd.exchange.messages import Body, Envelope, Gone, Numbered, Released, Settling
from qfleet_agent.qkd.exchange.transcript import Transcript, direction
from qfleet_wire import codec
from qfleet_wire.errors import RemoteError
from qfleet_wire.limits import LIMITS

_TAGGED: dict[type[Settling], Purpose] = {Released: "released", Gone: "gone"}
"""Each is said with one content in a session, so that its pad meets one message. ``Held`` needs none, for it
brings the tags of the transcript, and ``Forgotten`` none, for all it can do is to have a record dropped."""


PART_BYTES = LIMITS.peer_bytes - 4096
"""The longest part of a message; the rest of what the path carries at once is for everything around it."""


class Opened(NamedTuple):
    """What a message said: nothing where it confirms, is a part, or is not the next (``again``)."""

    body: Body | None
    again: bool


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
        self._parts: list[bytes] = []
        self._transcript = Transcript(session, tagger)

    def numbered(self, body: Numbered) -> list[bytes]:
        """The parts of a new numbered message, which are sent again until they are heard."""
        data = codec.encode(body)
        cuts = range(0, len(data), PART_BYTES)
        return [self._part(data[at : at + PART_BYTES], more=at + PART_BYTES < len(data)) for at in cuts]

    def _part(self, data: bytes, *, more: bool) -> bytes:
        self._said += 1
        self._transcript.note(self._role, data)
        made = Envelope(self._session, self._said, 0, data, more=more)
        self._waiting[self._said] = made
        return self._bytes(made)

    def settling(self, body: Settling) -> bytes:
        """The bytes of a message that stands for itself."""
        data = codec.encode(body)
        purpose = _TAGGED.get(type(body))
        tag = b""
        if self._tagger is not None and purpose is not None:
            tag = self._tagger.tag(direction(self._role), purpose, self._covered(data))
        return self._bytes(Envelope(self._session, 0, 0, data, tag))

    def unheard(self) -> list[bytes]:
        """All numbered messages that the other end has not confirmed, in order."""
        return [self._bytes(self._waiting[number]) for number in sorted(self._waiting)]

    def receipt(self) -> bytes:
        """A message that says nothing but what was heard."""
        return self._bytes(Envelope(self._session, 0, 0, b""))

    def opened(self, data: bytes) -> Opened:
        """Take a message of the other end.

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
        if not read.body:
            return Opened(None, again=False)
        if not read.number:
            return Opened(_body(read.body, Settling), again=False)
        if read.number != self._heard + 1:
            return Opened(None, again=True)
        return Opened(self._joined(read), again=False)

    def _joined(self, read: Envelope) -> Numbered | None:
        """The message that ends with this part."""
        self._heard = read.number
        self._transcript.note(self._other, read.body)
        self._parts.append(read.body)
        if sum(map(len, self._parts)) > LIMITS.frame_bytes:
            raise ExchangeInvalid(f"a message of more than {LIMITS.frame_bytes} bytes came in parts")
        if read.more:
            return None
        whole = b"".join(self._parts)
        self._parts.clear()
        body: Numbered = _body(whole, Numbered)
        return body

    @property
    def tagged(self) -> bool:
        """Whether messages are tagged with key of the link."""
        return self._tagger is not None

    def transcript(self) -> bytes:
        """What both ends said so far, in few bytes."""
        return self._transcript.told()

    @property
    def _other(self) -> Role:
        return "bob" if self._role == "alice" else "alice"

    def _check(self, read: Envelope) -> None:
        """Believe no word that settles a session before its tag is seen."""
        if self._tagger is None or read.number:
            return
        try:
            purpose = _TAGGED.get(type(_body(read.body, Settling)))
        except ExchangeInvalid as error:
            raise ExchangeForged("a word that settles a session does not bear its tag") from error
        if purpose is not None:
            self._tagger.check(direction(self._other), purpose, self._covered(read.body), read.tag)

    def _covered(self, data: bytes) -> bytes:
        return codec.encode(Envelope(self._session, 0, 0, data))

    def _bytes(self, made: Envelope) -> bytes:
        return codec.encode(msgspec.structs.replace(made, heard=self._heard))


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


def _body(data: bytes, kinds: Any) -> Any:
    try:
        return codec.decode(data, kinds)
    except RemoteError as error:
        raise ExchangeInvalid(f"a message of a key exchange does not read: {error}") from error

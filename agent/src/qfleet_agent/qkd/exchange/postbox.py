"""Numbers, repeats and tags of what an end says: what is lost is sent again, what comes twice is one."""

import msgspec

from qfleet_agent.qkd.authentication import TAG_BYTES, Purpose, Tagger
from qfleet_agent.qkd.errors import ExchangeForged, ExchangeInvalid
from qfleet_agent.qkd.exchange.effects import Role
from qfleet_agent.qkd.exchange.messages import Body, Envelope, Gone, Numbered, Released, Settling
from qfleet_agent.qkd.exchange.transcript import Transcript, direction
from qfleet_wire import codec
from qfleet_wire.errors import RemoteError

_TAGGED: dict[type[Settling], Purpose] = {Released: "released", Gone: "gone"}
"""Each is said with one content in a session, so that its pad meets one message. ``Held`` needs none, for it
brings the tags of the transcript, and ``Forgotten`` none, for all it can do is to have a record dropped."""


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
        self._transcript = Transcript(session, tagger)

    def numbered(self, body: Numbered) -> bytes:
        """The bytes of a new numbered message, which is sent again until it is heard."""
        self._said += 1
        data = codec.encode(body)
        self._transcript.note(self._role, data)
        made = Envelope(self._session, self._said, 0, data)
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
            self._transcript.note(self._other, read.body)
        return read, body

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
            purpose = _TAGGED.get(type(_body(read)))  # type: ignore[arg-type] # it has no number
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


def _body(read: Envelope) -> Body:
    kinds = Numbered if read.number else Settling
    try:
        body: Body = codec.decode(read.body, kinds)  # type: ignore[arg-type] # a union is read as one
    except RemoteError as error:
        raise ExchangeInvalid(f"message {read.number} does not read: {error}") from error
    return body

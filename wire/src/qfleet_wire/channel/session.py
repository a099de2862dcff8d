"""One session's envelopes: sealing, opening, replay windows and rekeying.

Keys live only here and are never written down: no session outlives its process, and no controller
continues another's sequence numbers. Opening never raises, whatever the bytes.

Envelope: kind, version, suite, key phase (1 byte each), session id (16), sequence (8, big-endian),
nonce (24), ciphertext with tag. Associated data: label of the direction, region and device (between
devices: sender and receiver) and the header, each length-prefixed; never the topic's text, since
bridges remap topics.
"""

import struct
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import ClassVar, Final, Literal, NamedTuple, NoReturn, TypeAlias

from nacl import bindings
from nacl.exceptions import CryptoError

from qfleet_wire.channel import derivation, frames, peer_frames
from qfleet_wire.channel.derivation import Random
from qfleet_wire.channel.labels import Label
from qfleet_wire.errors import MessageTooLong
from qfleet_wire.limits import LIMITS
from qfleet_wire.names import DeviceName, Millis, RegionName

WINDOW: Final = 1024
"""Sequence numbers below the highest that may still arrive, per direction."""
REKEY_MESSAGES: Final = 1 << 20
PREVIOUS_PHASE_MS: Final = 600_000
PHASES_AHEAD: Final = 8
"""Most key phases that a receiver skips, when every message of a phase was lost."""

_HEADER: Final = struct.Struct(">BBBB16sQ")
_NONCE_BYTES: Final = bindings.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
_TAG_BYTES: Final = bindings.crypto_aead_xchacha20poly1305_ietf_ABYTES
_CIPHERTEXT: Final = _HEADER.size + _NONCE_BYTES
OVERHEAD: Final = _CIPHERTEXT + _TAG_BYTES
_seal = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt
_open = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt


@unique
class Dropped(StrEnum):
    """Why an envelope gave nothing. Only ``FORGED`` may alarm."""

    STALE = "stale"
    """Of a session or key phase that is not held any more, or not yet."""
    FORGED = "forged"
    """It names a key that is held and does not open under it."""
    REPLAYED = "replayed"
    """Authentic, and already opened once or older than the window."""


class Opened(NamedTuple):
    """An authentic plaintext. ``confirmed``: this message confirmed its session (``sessions``)."""

    plaintext: bytes
    sequence: int
    session: "Session"
    confirmed: bool = False


Outcome: TypeAlias = Opened | Dropped


Role = Literal["device", "controller", "initiator", "responder"]
"""Our own end of a session: which of its two directions seals, and which opens."""


@dataclass(frozen=True, slots=True)
class Binding:
    """What the envelopes between a device and its controller are bound to besides their keys."""

    kind: ClassVar[int] = frames.Kind.SEALED
    suite: int
    session: bytes
    region: RegionName
    device: DeviceName

    def prefixes(self) -> tuple[bytes, bytes]:
        """Return what the associated data of each direction begins with: up, down."""
        return (
            _prefix(Label.ENVELOPE_UP, self.region, self.device),
            _prefix(Label.ENVELOPE_DOWN, self.region, self.device),
        )

    def __str__(self) -> str:
        """Name the two ends."""
        return f"{self.region}/{self.device}"


@dataclass(frozen=True, slots=True)
class PeerBinding:
    """What the envelopes between two devices are bound to besides their keys.

    The order of the two names says the direction: sender first.
    """

    kind: ClassVar[int] = peer_frames.Kind.SEALED
    suite: int
    session: bytes
    initiator: DeviceName
    responder: DeviceName

    def prefixes(self) -> tuple[bytes, bytes]:
        """Return what the associated data of each direction begins with: the initiator's, the responder's."""
        return (
            _prefix(Label.ENVELOPE_PEER, self.initiator, self.responder),
            _prefix(Label.ENVELOPE_PEER, self.responder, self.initiator),
        )

    def __str__(self) -> str:
        """Name the two ends."""
        return f"{self.initiator} to {self.responder}"


@dataclass(frozen=True, slots=True)
class Secrets:
    """The keys of both directions at phase 0; ``up`` is that of the end which began the handshake."""

    up: bytes = field(repr=False)
    down: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for a session beside its keys.

    ``certificate_ends`` is the end of the device's certificate; from then on the session can only
    renew it. ``preshared`` says whether a pre-shared key stands behind the session's keys.
    """

    certificate_ends: Millis
    preshared: bool = False
    rekey_ms: int = 3_600_000


class Window:
    """A replay window over 64-bit sequence numbers (the idea of RFC 4303, 3.4.3)."""

    __slots__ = ("_highest", "_seen")

    def __init__(self) -> None:
        self._highest = -1
        self._seen = 0

    def take(self, sequence: int) -> bool:
        """Accept a sequence number once; False if it came before or is too old."""
        ahead = sequence - self._highest
        if ahead > 0:
            self._seen = ((self._seen << ahead) | 1) & _WINDOW_MASK if ahead < WINDOW else 1
            self._highest = sequence
            return True
        bit = 1 << -ahead
        if -ahead >= WINDOW or self._seen & bit:
            return False
        self._seen |= bit
        return True


_WINDOW_MASK: Final = (1 << WINDOW) - 1


class Session:
    """Seals in one direction and opens in the other; made by the modules of handshakes only.

    Not to be copied or stored: two holders of one sending key would reuse sequence numbers.
    """

    __slots__ = ("_binding", "_receiver", "_sender", "terms")

    def __init__(
        self, role: Role, secrets: Secrets, binding: Binding | PeerBinding, terms: Terms, *, now: Millis
    ) -> None:
        up, down = binding.prefixes()
        self.terms = terms
        self._binding = binding
        if role in {"device", "initiator"}:
            self._sender = _Sender(secrets.up, up, binding, terms.rekey_ms, now)
            self._receiver = _Receiver(secrets.down, down)
        else:
            self._sender = _Sender(secrets.down, down, binding, terms.rekey_ms, now)
            self._receiver = _Receiver(secrets.up, up)

    def __reduce__(self) -> NoReturn:
        """Refuse to be copied or stored."""
        raise TypeError("a session is neither copied nor stored: resume instead")

    def __repr__(self) -> str:
        """Name the session without its keys."""
        return f"Session({self._binding}, {self.id.hex()})"

    @property
    def id(self) -> bytes:
        """The 16 bytes that name the session in headers."""
        return self._binding.session

    @property
    def sent(self) -> int:
        """Number of envelopes sealed so far."""
        return self._sender.sequence

    def renew_only(self, now: Millis) -> bool:
        """Whether the device's certificate has ended, so that the session can only renew it."""
        return now > self.terms.certificate_ends

    def seal(self, plaintext: bytes, *, now: Millis, random: Random) -> bytes:
        """Return the envelope of ``plaintext``; raises ``MessageTooLong`` over the frame limit."""
        if len(plaintext) > LIMITS.frame_bytes - OVERHEAD:
            raise MessageTooLong(
                f"plaintext of {len(plaintext)} bytes is over {LIMITS.frame_bytes - OVERHEAD}: send chunks"
            )
        return self._sender.seal(plaintext, now, random(_NONCE_BYTES))

    def open(self, envelope: bytes, now: Millis) -> Outcome:
        """Open an envelope of the other side. Never raises."""
        if len(envelope) < OVERHEAD:
            return Dropped.FORGED
        kind, version, suite, phase, session, sequence = _HEADER.unpack_from(envelope)
        if session != self._binding.session:
            return Dropped.STALE
        if kind != self._binding.kind or version != frames.PROTOCOL or suite != self._binding.suite:
            return Dropped.FORGED
        opened = self._receiver.open(envelope, phase, sequence, now)
        return opened if isinstance(opened, Dropped) else Opened(opened, sequence, self)


def session_of(envelope: bytes) -> bytes:
    """Return the session id in an envelope's header, unverified; empty if it is too short."""
    return envelope[4 : 4 + frames.SESSION_ID_BYTES] if len(envelope) >= OVERHEAD else b""


class _Sender:
    __slots__ = ("_binding", "_key", "_phase", "_prefix", "_rekey_ms", "_since", "_used", "sequence")

    def __init__(
        self, key: bytes, prefix: bytes, binding: Binding | PeerBinding, rekey_ms: int, now: Millis
    ) -> None:
        self._key = key
        self._prefix = prefix
        self._binding = binding
        self._rekey_ms = rekey_ms
        self._since = now
        self._phase = 0
        self._used = 0
        self.sequence = 0

    def seal(self, plaintext: bytes, now: Millis, nonce: bytes) -> bytes:
        # A clock that was set moves in either direction; both rekey, neither harms.
        if self._used >= REKEY_MESSAGES or abs(now - self._since) >= self._rekey_ms:
            self._key = _next_key(self._key)
            self._phase = (self._phase + 1) & 0xFF
            self._since, self._used = now, 0
        binding = self._binding
        header = _HEADER.pack(
            binding.kind, frames.PROTOCOL, binding.suite, self._phase, binding.session, self.sequence
        )
        # Counted before sealing: a failure in between skips a number, and never uses one twice.
        self.sequence += 1
        self._used += 1
        return header + nonce + _seal(plaintext, self._prefix + header, nonce, self._key)


class _Receiver:
    __slots__ = ("_key", "_phase", "_prefix", "_previous", "_stepped", "_window")

    def __init__(self, key: bytes, prefix: bytes) -> None:
        self._key = key
        self._prefix = prefix
        self._phase = 0
        self._previous: bytes | None = None
        self._stepped = Millis(0)
        self._window = Window()

    def open(self, envelope: bytes, phase: int, sequence: int, now: Millis) -> bytes | Dropped:
        ahead = (phase - self._phase) & 0xFF
        keys = self._keys(ahead, now)
        if isinstance(keys, Dropped):
            return keys
        previous, key = keys
        associated = self._prefix + envelope[: _HEADER.size]
        nonce = envelope[_HEADER.size : _CIPHERTEXT]
        try:
            plaintext = _open(envelope[_CIPHERTEXT:], associated, nonce, key)
        except CryptoError:
            return Dropped.FORGED
        # Only an authentic message may move the phase or the window.
        if 0 < ahead <= PHASES_AHEAD:
            self._key, self._previous = key, previous
            self._phase, self._stepped = phase, now
        return plaintext if self._window.take(sequence) else Dropped.REPLAYED

    def _keys(self, ahead: int, now: Millis) -> tuple[bytes | None, bytes] | Dropped:
        """Return the key before the header's phase and the key of it."""
        if ahead == 0:
            return None, self._key
        if ahead <= PHASES_AHEAD:
            previous, key = self._key, _next_key(self._key)
            for _ in range(ahead - 1):
                previous, key = key, _next_key(key)
            return previous, key
        if self._previous is not None and abs(now - self._stepped) >= PREVIOUS_PHASE_MS:
            self._previous = None
        if ahead == 0xFF and self._previous is not None:
            return None, self._previous
        return Dropped.STALE


def _next_key(key: bytes) -> bytes:
    return derivation.expand(key, Label.SESSION_NEXT_PHASE)


def _prefix(label: Label, *names: str) -> bytes:
    return derivation.framed((label, *(name.encode() for name in names))) + _HEADER.size.to_bytes(4, "big")

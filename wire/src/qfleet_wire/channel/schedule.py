"""The key schedule: from a transcript and the agreed secrets to a session's keys.

``HKDF-Extract(salt = transcript hash, IKM = len‖kem‖len‖psk‖len‖resumption)``. An absent input has
length 0 here and is named as absent in the transcript.
"""

from dataclasses import dataclass, field

from qfleet_wire.channel import derivation, resumption, suites
from qfleet_wire.channel.labels import Label
from qfleet_wire.channel.session import Binding, Role, Secrets, Session, Terms
from qfleet_wire.names import Millis


@dataclass(frozen=True, slots=True)
class Derived:
    """What one handshake yields: a session's keys and the secret that resumes it."""

    secrets: Secrets
    resumption: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Inputs:
    """The secrets that go into one handshake; empty where absent."""

    kem: bytes = field(repr=False)
    preshared: bytes = field(default=b"", repr=False)
    resumption: bytes = field(default=b"", repr=False)


def handshake_transcript(hello: bytes, device: bytes, answer_body: bytes, controller: bytes) -> bytes:
    """Hash a full handshake: the hello frame, the answer's signed body, both certificates' hashes."""
    return derivation.digest(Label.HANDSHAKE_TRANSCRIPT, hello, device, answer_body, controller)


def resumption_transcript(resume: bytes, device: bytes, answer_body: bytes, controller: bytes) -> bytes:
    """Hash a resumption; the certificates are those of the full handshake it descends from."""
    return derivation.digest(Label.RESUMPTION_TRANSCRIPT, resume, device, answer_body, controller)


def peer_transcript(hello: bytes, initiator: bytes, answer_body: bytes, responder: bytes) -> bytes:
    """Hash a handshake of two devices, like ``handshake_transcript``."""
    return derivation.digest(Label.PEER_TRANSCRIPT, hello, initiator, answer_body, responder)


def derive(transcript: bytes, inputs: Inputs) -> Derived:
    """Derive the keys of both directions and the next resumption secret."""
    key = derivation.extract(transcript, inputs.kem, inputs.preshared, inputs.resumption)
    secrets = _secrets(key, transcript, Label.SESSION_UP_KEY, Label.SESSION_DOWN_KEY)
    return Derived(secrets, derivation.expand(key, Label.RESUMPTION_SECRET, transcript))


def derive_peer(transcript: bytes, inputs: Inputs) -> Secrets:
    """Derive the keys of both directions between two devices."""
    key = derivation.extract(transcript, inputs.kem, inputs.preshared, inputs.resumption)
    return _secrets(key, transcript, Label.PEER_INITIATOR_KEY, Label.PEER_RESPONDER_KEY)


def _secrets(key: bytes, transcript: bytes, up: Label, down: Label) -> Secrets:
    return Secrets(derivation.expand(key, up, transcript), derivation.expand(key, down, transcript))


def open_session(
    role: Role, state: resumption.State, derived: Derived, *, rekey_ms: int, now: Millis
) -> Session:
    """Open a session with its first sequence number; ``role`` is our own."""
    binding = Binding(suites.SUITES[state.suite].number, state.session, state.region, state.device)
    terms = Terms(state.device_ends, state.preshared, rekey_ms)
    return Session(role, derived.secrets, binding, terms, now=now)

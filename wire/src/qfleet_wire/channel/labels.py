"""The one tree of labels that keep the uses of keys and hashes apart.

Every hash, signature, derivation and associated datum in the channel starts from exactly one of
these. A label is never used for two things, and no code outside this file spells one. Each names
the suite family ``qfleet1``; a change of meaning is a new family, never an edit.
"""

from enum import Enum, unique
from typing import Final

FAMILY: Final = "qfleet1"


@unique
class Label(bytes, Enum):
    """What a key, hash or signature is for. ML-DSA takes it as its context string (FIPS 204, 5.2)."""

    ENROLMENT_REQUEST_SEAL = b"qfleet1/enrolment/request/seal"
    ENROLMENT_REQUEST_PROOF = b"qfleet1/enrolment/request/proof"
    ENROLMENT_ANSWER_SEAL = b"qfleet1/enrolment/answer/seal"
    ENROLMENT_ANSWER_PROOF = b"qfleet1/enrolment/answer/proof"
    TOKEN_KEY = b"qfleet1/token/key"
    TOKEN_CHECKSUM = b"qfleet1/token/checksum"
    KEY_FILE = b"qfleet1/key file"
    HELLO_SIGNATURE = b"qfleet1/handshake/hello/signature"
    ANSWER_SIGNATURE = b"qfleet1/handshake/answer/signature"
    HANDSHAKE_TRANSCRIPT = b"qfleet1/handshake/transcript"
    RESUME_PROOF = b"qfleet1/resumption/request/proof"
    RESUME_ANSWER_PROOF = b"qfleet1/resumption/answer/proof"
    RESUMPTION_TRANSCRIPT = b"qfleet1/resumption/transcript"
    RESUMPTION_ID = b"qfleet1/resumption/id"
    RESUMPTION_INPUT = b"qfleet1/resumption/input"
    RESUMPTION_SECRET = b"qfleet1/resumption/secret"
    SESSION_UP_KEY = b"qfleet1/session/up/key"
    SESSION_DOWN_KEY = b"qfleet1/session/down/key"
    SESSION_NEXT_PHASE = b"qfleet1/session/next phase"
    ENVELOPE_UP = b"qfleet1/envelope/up"
    ENVELOPE_DOWN = b"qfleet1/envelope/down"
    ENVELOPE_PEER = b"qfleet1/envelope/peer"
    PEER_HELLO_SIGNATURE = b"qfleet1/peer/hello/signature"
    PEER_ANSWER_SIGNATURE = b"qfleet1/peer/answer/signature"
    PEER_TRANSCRIPT = b"qfleet1/peer/transcript"
    PEER_INITIATOR_KEY = b"qfleet1/peer/initiator/key"
    PEER_RESPONDER_KEY = b"qfleet1/peer/responder/key"
    REVOCATION_SIGNATURE = b"qfleet1/revocation/signature"
    RESULTS_SIGNATURE = b"qfleet1/results/signature"
    PROVENANCE_SIGNATURE = b"qfleet1/provenance/signature"
    HYBRID_COMBINER = b"qfleet1/suite/hybrid combiner"
    KEY_STORE_CHUNK = b"qfleet1/key store/chunk"
    KEY_STORE_WAITING = b"qfleet1/key store/waiting key"
    KEY_STORE_CHECK = b"qfleet1/key store/check"
    KEY_ANNOUNCEMENT = b"qfleet1/key delivery/announcement"
    RELAY_HOP = b"qfleet1/relay/hop"
    RELAY_TRANSCRIPT = b"qfleet1/relay/transcript"
    RELAY_STREAM = b"qfleet1/relay/stream"
    RELAY_PROOF = b"qfleet1/relay/proof"

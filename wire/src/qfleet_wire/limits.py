"""Every limit of the wire in one place: sizes in bytes, counts, depths, times."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that both sides enforce; a message outside them is refused before it is decoded."""

    frame_bytes: int = 4 * 1024 * 1024
    """Largest MQTT payload that the door reads."""
    peer_bytes: int = 64 * 1024
    """Largest body that a controller forwards between two devices; its users split what is larger."""
    key_body_bytes: int = 256 * 1024
    """Largest order to, or report of, a device's key process."""
    hello_bytes: int = 64 * 1024
    """Largest unsealed handshake or enrolment message; enough for two certificate chains."""
    batch_items: int = 4096
    """Most payloads in one sealed message."""
    chunk_bytes: int = 256 * 1024
    """Payload size from which an artefact travels in chunks of this size."""
    artefact_bytes: int = 256 * 1024 * 1024
    """Largest artefact that is accepted in chunks."""
    certificate_chain: int = 4
    """Most certificates in a chain, leaf included, root excluded."""
    certificate_bytes: int = 16 * 1024
    """Largest certificate or certificate signing request."""
    revocations: int = 512
    """Most entries in a list of revoked controllers."""
    token_characters: int = 4096
    """Longest join token that is read."""
    presence_bytes: int = 16
    """Largest last will."""
    suites: int = 16
    """Most suites in an offer."""
    program_statements: int = 1_000_000
    """Most statements in a compiled program, nested ones counted."""
    program_depth: int = 64
    """Deepest nesting of statements or expressions in a compiled program."""
    qubits: int = 64
    """Widest program for a state-vector engine that the wire carries."""
    tableau_qubits: int = 10_000
    """Widest program of any kind: a Clifford one, on a stabilizer tableau."""
    shots: int = 100_000_000
    """Most shots in one job."""
    items: int = 1_000_000
    """Most parameter points in one job."""


LIMITS = Limits()

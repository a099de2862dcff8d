"""The key of a relay: what went along the route, xored with what X-Wing agreed.

``key = secret ⊕ HKDF(shared; transcript)``. Who knows all of the route but not X-Wing's shared secret sees a
stream that HKDF-SHA-256 makes of it; who knows the shared secret but not what went along the route sees
uniform bytes, whatever can be computed. Both ends must mean the same relay: the transcript binds its name,
its route, its size, and the messages of the agreement.
"""

from typing import NamedTuple

from qfleet_agent.relay.pads import CHECK_BYTES
from qfleet_agent.relay.route import Plan
from qfleet_wire.channel import derivation
from qfleet_wire.channel.labels import Label


class Agreement(NamedTuple):
    """What the two ends agreed: X-Wing's messages, and the secret that both have of them."""

    public: bytes
    ciphertext: bytes
    shared: bytes

    def __repr__(self) -> str:
        """Leave out the secret."""
        return f"Agreement({len(self.public)} bytes, {len(self.ciphertext)} bytes)"


class Combined(NamedTuple):
    """The key, and the proof that an end knows it, which tells nobody anything of it."""

    key: bytes
    proof: bytes

    def __repr__(self) -> str:
        """Leave out the key."""
        return f"Combined({8 * len(self.key)} bits)"


def combine(plan: Plan, secret: bytes, agreement: Agreement) -> Combined:
    """Make the key of a relay.

    The proof is a MAC of the secret under a key of the agreement: nodes of the route cannot make one for a
    secret that they have changed, and ``CHECK_BYTES`` of the secret, which are part of no key, blind it.
    """
    transcript = derivation.digest(
        Label.RELAY_TRANSCRIPT,
        plan.relay,
        derivation.framed(name.encode() for name in plan.route),
        plan.size.to_bytes(4, "big"),
        agreement.public,
        agreement.ciphertext,
    )
    root = derivation.extract(transcript, agreement.shared)
    stream = _stream(root, plan.size)
    key = bytes(a ^ b for a, b in zip(secret[:-CHECK_BYTES], stream, strict=True))
    proof_key = derivation.expand(root, Label.RELAY_PROOF)
    return Combined(key, derivation.proof(proof_key, Label.RELAY_PROOF, transcript, secret))


def _stream(root: bytes, size: int) -> bytes:
    """As many bytes as asked for: a derived block for each number."""
    blocks = -(-size // derivation.KEY_BYTES)
    made = (derivation.expand(root, Label.RELAY_STREAM, n.to_bytes(4, "big")) for n in range(blocks))
    return b"".join(made)[:size]

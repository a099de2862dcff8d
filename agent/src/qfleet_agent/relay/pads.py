"""One hop: the secret under a one-time pad, with a one-time tag. No computing power opens or forges it.

A pad is key that two neighbours share and use for nothing else: as many bytes as the secret has, xored with
it (Vernam; Shannon, Bell Syst. Tech. J. 28, 656 (1949)), and 32 that serve Poly1305 (Bernstein, FSE 2005)
once. A forgery passes with at most 8 ⌈l / 16⌉ / 2^106 for l bytes under the tag.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.poly1305 import Poly1305

from qfleet_agent.relay.errors import RelayForged, RelayMisused, RelayRefused
from qfleet_agent.relay.route import Plan
from qfleet_wire.channel.derivation import framed
from qfleet_wire.channel.labels import Label

CHECK_BYTES = 32
"""Of the secret, beyond the key itself: they blind what the target says of it."""
TAG_KEY_BYTES = 32
TAG_BYTES = 16


def secret_bytes(plan: Plan) -> int:
    """How long the secret of a relay is."""
    return plan.size + CHECK_BYTES


def pad_bytes(plan: Plan) -> int:
    """How much key each hop of a relay uses up."""
    return secret_bytes(plan) + TAG_KEY_BYTES


def cover(plan: Plan, at: int, secret: bytes, pad: bytes) -> tuple[bytes, bytes]:
    """Return the secret under the pad of the hop from node ``at`` to the next, and its tag.

    Raises:
        RelayMisused: Where a length does not fit: a pad is never stretched.
    """
    if len(secret) != secret_bytes(plan):
        raise RelayMisused(f"the secret has {len(secret)} bytes, and must have {secret_bytes(plan)}")
    covered = _xor(secret, _checked(plan, pad))
    return covered, Poly1305.generate_tag(pad[-TAG_KEY_BYTES:], _tagged(plan, at, covered))


def uncover(plan: Plan, at: int, covered: bytes, tag: bytes, pad: bytes) -> bytes:
    """Return the secret that came by the hop from node ``at``.

    Raises:
        RelayRefused: Where it is not as long as it must be.
        RelayForged: Where it does not bear the tag.
    """
    _checked(plan, pad)
    if len(covered) != secret_bytes(plan) or len(tag) != TAG_BYTES:
        raise RelayRefused(f"hop {at} of relay {plan.relay.hex()} carries {len(covered)} bytes")
    try:
        Poly1305.verify_tag(pad[-TAG_KEY_BYTES:], _tagged(plan, at, covered), tag)
    except InvalidSignature:
        hop = f"{plan.route[at]} - {plan.route[at + 1]}"
        raise RelayForged(
            f"what came over {hop} for relay {plan.relay.hex()} does not bear its tag"
        ) from None
    return _xor(covered, pad)


def _checked(plan: Plan, pad: bytes) -> bytes:
    if len(pad) != pad_bytes(plan):
        raise RelayMisused(f"the pad has {len(pad)} bytes, and must have {pad_bytes(plan)}")
    return pad


def _tagged(plan: Plan, at: int, covered: bytes) -> bytes:
    route = framed(name.encode() for name in plan.route)
    return framed((Label.RELAY_HOP, plan.relay, route, at.to_bytes(1, "big"), covered))


def _xor(left: bytes, right: bytes) -> bytes:
    length = len(left)
    mixed = int.from_bytes(left, "big") ^ int.from_bytes(right[:length], "big")
    return mixed.to_bytes(length, "big")

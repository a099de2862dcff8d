"""The suites: which key agreement a handshake runs. Everything else is the same in all of them.

A suite is known by name in signed text and by number in envelope headers. An unknown one is
refused with a reason; nothing is ever negotiated below what a profile or policy accepts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from qfleet_wire.channel import derivation, frodo, xwing
from qfleet_wire.channel.derivation import Random
from qfleet_wire.channel.labels import Label
from qfleet_wire.channel.xwing import Encapsulated
from qfleet_wire.errors import Refused, SuiteUnavailable


class PrivateShare(Protocol):
    """One side's ephemeral key of a key agreement."""

    @property
    def public(self) -> bytes:
        """The bytes that the other side encapsulates to."""

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """Return the shared secret of 32 bytes."""


Generate = Callable[[Random], PrivateShare]
Encapsulate = Callable[[bytes, Random], Encapsulated]


def _always() -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite. ``missing()`` says what it lacks on this machine, or None."""

    name: str
    number: int
    generate: Generate
    encapsulate: Encapsulate
    missing: Callable[[], str | None] = _always


@dataclass(frozen=True, slots=True)
class HybridKey:
    """X-Wing and a second KEM side by side."""

    public: bytes = field(repr=False)
    _first: PrivateShare = field(repr=False)
    _second: PrivateShare = field(repr=False)

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """Return the combined secret; both ciphertexts and public keys are bound to it."""
        first, second = ciphertext[: xwing.CIPHERTEXT_BYTES], ciphertext[xwing.CIPHERTEXT_BYTES :]
        secrets = self._first.decapsulate(first), self._second.decapsulate(second)
        return _combine(secrets, ciphertext, self.public)


def hybrid_generate(second: Generate) -> Generate:
    """Key generation of X-Wing with ``second``."""

    def generate(random: Random) -> HybridKey:
        ours, other = xwing.generate(random), second(random)
        return HybridKey(ours.public + other.public, ours, other)

    return generate


def hybrid_encapsulate(second: Encapsulate) -> Encapsulate:
    """Encapsulation of X-Wing with ``second``."""

    def encapsulate(public: bytes, random: Random) -> Encapsulated:
        ours = xwing.encapsulate(public[: xwing.PUBLIC_KEY_BYTES], random)
        other = second(public[xwing.PUBLIC_KEY_BYTES :], random)
        ciphertext = ours.ciphertext + other.ciphertext
        return Encapsulated(_combine((ours.secret, other.secret), ciphertext, public), ciphertext)

    return encapsulate


def _combine(secrets: tuple[bytes, bytes], ciphertext: bytes, public: bytes) -> bytes:
    # Both secrets are the key, both ciphertexts and public keys the message: the output is
    # unpredictable while either secret is, and no part can be swapped (eprint 2018/024, 3.2).
    # X-Wing's parts have fixed sizes, so the two concatenations are unambiguous.
    return derivation.proof(derivation.framed(secrets), Label.HYBRID_COMBINER, ciphertext, public)


QFLEET1: Final = Suite("qfleet1", 1, xwing.generate, xwing.encapsulate)
QFLEET1_FRODO976: Final = Suite(
    "qfleet1-frodo976",
    2,
    hybrid_generate(frodo.generate),
    hybrid_encapsulate(frodo.encapsulate),
    frodo.missing,
)
SUITES: Final[dict[str, Suite]] = {suite.name: suite for suite in (QFLEET1, QFLEET1_FRODO976)}


def usable(accepted: Sequence[str]) -> tuple[Suite, ...]:
    """Return those of ``accepted`` that exist and work here, in that order.

    Raises:
        SuiteUnavailable: none is left; the message says why for each.
    """
    found = tuple(SUITES[name] for name in accepted if name in SUITES and SUITES[name].missing() is None)
    if not found:
        reasons = ", ".join(f"{name!r}: {_why_not(name)}" for name in accepted)
        raise SuiteUnavailable(f"no accepted suite can be used here ({reasons or 'none accepted'})")
    return found


def offer(accepted: Sequence[str], random: Random) -> dict[str, PrivateShare]:
    """Make an ephemeral key for each usable suite, by name; raises ``SuiteUnavailable``."""
    return {suite.name: suite.generate(random) for suite in usable(accepted)}


def choose(offered: Sequence[str], accepted: Sequence[str]) -> Suite:
    """Return the first of ``accepted`` (best first) that is offered.

    Raises:
        Refused: nothing in common; the message names both lists.
    """
    for suite in usable(accepted):
        if suite.name in offered:
            return suite
    raise Refused(
        f"offered suites {', '.join(offered)[:200]!r}, accepted here {', '.join(accepted)!r}: none in common",
        code="suite",
    )


def _why_not(name: str) -> str:
    return SUITES[name].missing() or "" if name in SUITES else "unknown"

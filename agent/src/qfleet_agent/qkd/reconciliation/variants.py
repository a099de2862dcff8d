"""The published variants of Cascade: block sizes, passes, and what is searched when.

Sources: Brassard and Salvail, EUROCRYPT '93, LNCS 765, 410 (1994) for ``original``; Sugimoto and Yamazaki,
IEICE Trans. Fundam. E83-A, 1987 (2000) for ``biconf``; Yan et al., ICNC 2008, vol. 3, 637 for ``yanetal``;
Martinez-Mateo, Pacher, Peev, Ciurana and Martin, Quantum Inf. Comput. 15, 453 (2015), arXiv:1407.3257,
table 1, for the options. Their figures at 10,000 runs a point come from the program cascade-cpp by Rijsman,
whose reading of the tables this module shares. ``thrifty`` is our own: see docs/reconciliation.md.
"""

import math
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from qfleet_agent.errors import ReconciliationUnusable

Name = Literal["original", "biconf", "yanetal", "option3", "option4", "option7", "option8", "thrifty"]
LOWEST_RATE = 1e-5
"""Error rates below count as this one, as in cascade-cpp, so that block sizes stay finite."""
HIGHEST_RATE = 0.25
"""A key with more errors gives no secret bits in any protocol here."""


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One way to run Cascade.

    ``sizes`` gives the block sizes of the passes for an error rate and a frame length. ``deep``: an error
    found elsewhere makes the smallest known block around it searched (sub-block reuse), else its top block
    only. ``patient``: of the blocks of a frame known to be odd, only those of the earliest pass are
    searched. ``total_once``: the last block of later passes is not asked for, since the parity of all bits
    is known by then. ``confirming`` passes at the end ask for one random half each, without cascading,
    until so many in a row are even.
    """

    sizes: Callable[[float, int], tuple[int, ...]]
    deep: bool = False
    patient: bool = False
    total_once: bool = False
    confirming: int = 0


def _doubling(rate: float, bits: int) -> tuple[int, ...]:
    first = math.ceil(0.73 / rate)
    return _within(bits, (first, 2 * first, 4 * first, 8 * first))


def _biconf(rate: float, bits: int) -> tuple[int, ...]:
    first = math.ceil(0.92 / rate)
    return _within(bits, (first, 3 * first))


def _yan(rate: float, bits: int) -> tuple[int, ...]:
    first = math.ceil(0.80 / rate)
    return _within(bits, (first, 5 * first, *[bits // 2] * 8))


def _option3(rate: float, bits: int) -> tuple[int, ...]:
    first = math.ceil(1.0 / rate)
    return _within(bits, (first, 2 * first, *[bits // 2] * 14))


def _option7(rate: float, bits: int) -> tuple[int, ...]:
    first = 2 ** math.ceil(math.log2(1.0 / rate))
    return _within(bits, (first, 4 * first, *[bits // 2] * 12))


def _option8(rate: float, bits: int) -> tuple[int, ...]:
    alpha = math.log2(1.0 / rate) - 0.5
    powers = (math.ceil(alpha), math.ceil((alpha + 12.0) / 2.0), 12)
    return _within(bits, (*[2**power for power in powers], *[bits // 2] * 11))


def _thrifty(rate: float, bits: int) -> tuple[int, ...]:
    # A pass of two halves costs one bit where the parity of the whole is known, so there are more of them.
    return (*_option7(rate, bits)[:2], *[max(1, bits // 2)] * 16)


def _within(bits: int, sizes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(max(1, min(size, bits)) for size in sizes)


VARIANTS: Mapping[Name, Variant] = {
    "original": Variant(sizes=_doubling),
    "biconf": Variant(sizes=_biconf, confirming=10),
    "yanetal": Variant(sizes=_yan),
    "option3": Variant(sizes=_option3),
    "option4": Variant(sizes=_option3, deep=True),
    "option7": Variant(sizes=_option7, deep=True),
    "option8": Variant(sizes=_option8, deep=True),
    "thrifty": Variant(sizes=_thrifty, deep=True, patient=True, total_once=True),
}


CONFIRMED = " confirmed"
"""Behind a variant's name: with ``CONFIRMING`` passes at the end."""
CONFIRMING = 10
"""Each asks for one bit, and sees every second time that errors are left: all but one of 1,024 frames."""


def named(name: str) -> Variant:
    """The variant of a name, confirmed where the name says so.

    Raises:
        ReconciliationUnusable: None has it.
    """
    for known, variant in VARIANTS.items():
        if known == name:
            return variant
        if known + CONFIRMED == name:
            return _confirmed(variant)
    raise ReconciliationUnusable(f"no variant of Cascade is named {name!r}: there are {', '.join(VARIANTS)}")


def _confirmed(variant: Variant) -> Variant:
    if not variant.total_once:
        return msgspec.structs.replace(variant, confirming=CONFIRMING)
    # Halves cost one bit here and cascade too, which is better.
    return msgspec.structs.replace(
        variant,
        sizes=lambda rate, bits: (*variant.sizes(rate, bits), *[max(1, bits // 2)] * CONFIRMING),
    )

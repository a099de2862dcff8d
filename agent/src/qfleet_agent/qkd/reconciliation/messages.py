"""What crosses the channel: questions as packed differences, answers as packed parities.

Questions are sorted numbers, so the differences between neighbours are small; they are written with as many
bits each as the greatest needs. A message from the other end is never trusted: every length and every
number is checked.
"""

import msgspec
import numpy as np

from qfleet_agent.errors import ReconciliationRefused
from qfleet_agent.qkd.reconciliation.passes import Bits, Indices, Plan

QUESTIONS = 1 << 24
"""The most questions one message may ask."""
_WIDEST = 48


class Ask(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Questions of the corrector. Round 0 is the opening: it brings the plan and asks for all top blocks."""

    round: int
    plan: Plan | None
    count: int
    width: int
    steps: bytes


class Answers(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Parities of the answerer, in the order of the questions, eight in a byte."""

    round: int
    parities: bytes


def packed_steps(questions: Indices) -> tuple[int, bytes]:
    """Write rising numbers as differences: the width of each in bits, and the bytes."""
    steps = np.diff(questions, prepend=-1) - 1
    width = max(1, int(steps.max(initial=0)).bit_length())
    bits = (steps[:, None] >> np.arange(width, dtype=np.int64)) & 1
    return width, np.packbits(bits.astype(np.uint8), bitorder="little").tobytes()


def unpacked_steps(ask: Ask, end: int) -> Indices:
    """Read the questions of a message, rising and below ``end``.

    Raises:
        ReconciliationRefused: A length, a width or a number is out of range.
    """
    if not 0 < ask.count <= min(end, QUESTIONS) or not 0 < ask.width <= _WIDEST:
        raise ReconciliationRefused(f"{ask.count} questions of {ask.width} bits each cannot be asked")
    flat = unpacked_bits(ask.steps, ask.count * ask.width)
    weights = np.left_shift(np.int64(1), np.arange(ask.width, dtype=np.int64))
    # One column after the other keeps the numbers whole: a matrix product would go over floats.
    steps = (flat.reshape(ask.count, ask.width) * weights).sum(axis=1)
    if int(steps.max()) >= end:
        raise ReconciliationRefused("a question lies beyond the last pass")
    # No sum can overflow: each step is below the end of all passes, which is below 2^32.
    questions = np.cumsum(steps + 1) - 1
    if int(questions[-1]) >= end:
        raise ReconciliationRefused("a question lies beyond the last pass")
    return questions


def packed_bits(bits: Bits) -> bytes:
    """Write zeros and ones eight in a byte."""
    return np.packbits(bits, bitorder="little").tobytes()


def unpacked_bits(data: bytes, count: int) -> Bits:
    """Read ``count`` zeros and ones.

    Raises:
        ReconciliationRefused: There are more or fewer bytes, or the spare bits of the last are not zero.
    """
    if len(data) != -(-count // 8):
        raise ReconciliationRefused(f"{count} bits were expected and {len(data)} bytes came")
    bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8), bitorder="little")
    if bits[count:].any():
        raise ReconciliationRefused("spare bits at the end of a message are not zero")
    return bits[:count]

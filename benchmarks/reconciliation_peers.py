"""Cascade of two Python packages, each with the settings that its own tests and documents use."""

import math
import time
from dataclasses import dataclass

import numpy as np
from qkdpy.key_management.error_correction import ErrorCorrection
from tno.quantum.communication.qkd_key_rate.classical import Message, ParityStrategy, Permutations
from tno.quantum.communication.qkd_key_rate.classical import cascade as tno_cascade

_PASSES = 8
_SAMPLED = 0.34


@dataclass(frozen=True)
class Outcome:
    """One frame: bits a second of processor time, parities by the limit if told, errors that stayed."""

    bits_hz: float
    efficiency: float | None
    left: int


def tno(rate: float, bits: int, seed: int) -> Outcome:
    """Cascade of tno-quantum-communication-qkd-key-rate, with the passes of its own test of correctness."""
    reference, noisy = _keys(rate, bits, seed)
    begun = time.process_time()
    orders = Permutations.random_permutation(number_of_passes=_PASSES, message_size=bits)
    strategy = ParityStrategy(error_rate=rate, sampling_fraction=_SAMPLED, number_of_passes=_PASSES)
    alice = tno_cascade.CascadeSender(message=Message(reference), permutations=orders)
    bob = tno_cascade.CascadeReceiver(message=Message(noisy), permutations=orders, parity_strategy=strategy)
    done = tno_cascade.CascadeCorrector(alice=alice, bob=bob).correct_errors()
    seconds = time.process_time() - begun
    return Outcome(
        bits / seconds, done.number_of_exposed_bits / limit(rate, bits), round(done.output_error * bits)
    )


def qkdpy(rate: float, bits: int, seed: int) -> Outcome:
    """What qkdpy calls Cascade: four passes without going back; with the block sizes of the published one."""
    reference, noisy = _keys(rate, bits, seed)
    first = math.ceil(0.73 / rate)
    begun = time.process_time()
    kept, corrected = ErrorCorrection.cascade(
        reference, noisy, block_sizes=[first, 2 * first, 4 * first, 8 * first]
    )
    seconds = time.process_time() - begun
    left = sum(mine != other for mine, other in zip(kept, corrected, strict=True))
    return Outcome(bits / seconds, None, left)


def limit(rate: float, bits: int) -> float:
    """Shannon's bits for so many sifted ones: n h(Q)."""
    return bits * (-rate * math.log2(rate) - (1 - rate) * math.log2(1 - rate))


def _keys(rate: float, bits: int, seed: int) -> tuple[list[int], list[int]]:
    draw = np.random.default_rng(seed)
    reference = draw.integers(0, 2, bits)
    noisy = reference.copy()
    noisy[draw.choice(bits, round(rate * bits), replace=False)] ^= 1
    return reference.tolist(), noisy.tolist()

"""Belief propagation on the syndrome, row by row, for many frames at once.

Sum-product in layers: a row sees what the rows before it said in the same iteration, so fewer iterations do
(Hocevar, IEEE SiPS 2004, 107). Frames that are done leave the arrays.
"""

import numpy as np

from qfleet_agent.qkd.reconciliation.ldpc import codes
from qfleet_agent.qkd.reconciliation.ldpc.codes import Code, Floats
from qfleet_agent.qkd.reconciliation.passes import Bits, Flags, Indices

ITERATIONS = 60
_SURE = np.float32(40.0)
_FAINT = np.float32(1e-6)
_ALMOST_ONE = np.float32(0.9999995)


def decoded(code: Code, beliefs: Floats, syndrome: Bits, iterations: int = ITERATIONS) -> tuple[Bits, Flags]:
    """Find bits with a syndrome.

    Args:
        code: the code.
        beliefs: log likelihood ratios, positive where a bit is rather 0, [bits, frames].
        syndrome: [rows, LIFT, frames].
        iterations: after so many a frame counts as failed.

    Returns:
        Bits [bits, frames], and which frames have the syndrome; the other frames' bits mean nothing.
    """
    found = np.zeros(beliefs.shape, dtype=np.uint8)
    right = np.zeros(beliefs.shape[1], dtype=np.bool_)
    going = np.arange(beliefs.shape[1])
    total = beliefs.astype(np.float32)
    said = [np.zeros((*row.shape, going.size), dtype=np.float32) for row in code.rows]
    for _ in range(iterations):
        signs = 1.0 - 2.0 * syndrome.astype(np.float32)
        for at, row in enumerate(code.rows):
            said[at] = _row(total, row, said[at], signs[at])
        bits = (total < 0).astype(np.uint8)
        done = (codes.syndrome(code, bits) == syndrome).all(axis=(0, 1))
        found[:, going[done]], right[going[done]] = bits[:, done], True
        if done.any():
            going, total, syndrome = going[~done], total[:, ~done], syndrome[:, :, ~done]
            said = [each[:, :, ~done] for each in said]
        if not going.size:
            break
    return found, right


def _row(total: Floats, row: Indices, said: Floats, signs: Floats) -> Floats:
    """Update the beliefs of the bits of one row in place; return what it said."""
    others = total[row] - said
    halves = np.tanh(others * np.float32(0.5))
    # A bit of which nothing is known must not divide by zero.
    np.copyto(halves, _FAINT, where=np.abs(halves) < _FAINT)
    product = (np.multiply.reduce(halves, axis=0) * signs)[None] / halves
    np.clip(product, -_ALMOST_ONE, _ALMOST_ONE, out=product)
    now: Floats = np.log((1 + product) / (1 - product))
    total[row] = np.clip(others + now, -_SURE, _SURE)
    return now

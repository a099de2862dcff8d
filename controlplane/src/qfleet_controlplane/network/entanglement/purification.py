"""Two pairs become one better pair, or none.

Both protocols compare the parities of two pairs: a controlled-not at each end from the first pair onto the
second, whose qubits are read; equal readings keep the first pair. In terms of a bit error x (Ψ) and a phase
error z (minus sign) the first pair becomes (x1, z1 + z2), and the second shows x1 + x2. BBPSSW (Bennett et
al., PRL 76, 722, 1996) twirls before and after; DEJMPS (Deutsch et al., PRL 77, 2818, 1996) instead rotates
both pairs first so that Φ- and Ψ- change places.
"""

from typing import Literal

import msgspec

from qfleet_controlplane import errors
from qfleet_controlplane.network.entanglement import bell
from qfleet_controlplane.network.entanglement.operations import PERFECT, Operations

Protocol = Literal["bbpssw", "dejmps"]
MOST_ROUNDS = 64


class Unreachable(errors.InvalidRequest):
    """No way leads to that fidelity.

    ``best`` is the best fidelity that can be reached.
    """

    def __init__(self, message: str, *, best: float) -> None:
        super().__init__(message)
        self.best = best


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """How likely a round succeeds, and the pair that it leaves then."""

    success: float
    pair: bell.Pair


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """Rounds one after another: the pair at the end, and how many pairs each such pair takes on average."""

    pair: bell.Pair
    rounds: int
    pairs: float


def purified(
    first: bell.Pair, second: bell.Pair, protocol: Protocol = "dejmps", operations: Operations = PERFECT
) -> Round:
    """One round on two pairs.

    For ideal operations: BBPSSW gives F' = (F² + G²)/(F² + 2FG + 5G²) with G = (1 - F)/3 (Bennett et al.
    1996, eq. 7), DEJMPS A' = (A² + B²)/N, B' = 2CD/N, C' = (C² + D²)/N, D' = 2AB/N with N = (A + B)² + (C +
    D)² (Deutsch et al. 1996, eq. 4). With imperfect gates and readouts BBPSSW gives eq. 2 of Briegel et
    al., PRL 81, 5932 (1998).
    """
    if protocol == "bbpssw":
        done = _compared(bell.twirled(first), bell.twirled(second), operations)
        return Round(success=done.success, pair=bell.twirled(done.pair))
    return _compared(_rotated(first), _rotated(second), operations)


def recurrence(
    state: bell.Pair, rounds: int, protocol: Protocol = "dejmps", operations: Operations = PERFECT
) -> Schedule:
    """Rounds on pairs of equal history; what fails is made again from the start (Bennett et al. 1996).

    A pair of round k takes two of round k - 1 in each attempt: 2/p times as many (exact, by Wald's identity).
    """
    _check_rounds(rounds)
    pairs = 1.0
    for _ in range(rounds):
        done = purified(state, state, protocol, operations)
        state, pairs = done.pair, 2.0 * pairs / done.success
    return Schedule(pair=state, rounds=rounds, pairs=pairs)


def pumping(
    state: bell.Pair, rounds: int, protocol: Protocol = "dejmps", operations: Operations = PERFECT
) -> Schedule:
    """Rounds in which fresh pairs improve one; a failure starts anew (Dür et al., PRA 59, 169, 1999).

    It needs only two places at each end, and ends at a fidelity below 1 that depends on the fresh pairs.
    """
    _check_rounds(rounds)
    kept, pairs = state, 1.0
    for _ in range(rounds):
        done = purified(kept, state, protocol, operations)
        kept, pairs = done.pair, (pairs + 1.0) / done.success
    return Schedule(pair=kept, rounds=rounds, pairs=pairs)


def rounds_to(
    state: bell.Pair, fidelity: float, protocol: Protocol = "dejmps", operations: Operations = PERFECT
) -> Schedule:
    """The fewest rounds of recurrence that reach a fidelity.

    Raises:
        InvalidState: unless the fidelity lies between 0 and 1.
        Unreachable: when no number of rounds does; it names the best that is reached.
    """
    bell.werner(fidelity)
    best = state.fidelity
    for rounds in range(MOST_ROUNDS + 1):
        schedule = recurrence(state, rounds, protocol, operations)
        best = max(best, schedule.pair.fidelity)
        if schedule.pair.fidelity >= fidelity:
            return schedule
    raise Unreachable(
        f"a fidelity of {fidelity:g} cannot be reached from pairs of {state.fidelity:g} by {protocol}: "
        f"at best {best:.6g}, in up to {MOST_ROUNDS} rounds",
        best=best,
    )


def _compared(first: bell.Pair, second: bell.Pair, operations: Operations) -> Round:
    """Compare parities: what equal readings leave, when readings and gates may be wrong."""
    wrong = 2.0 * operations.readout * (1.0 - operations.readout)
    even, odd = _parity(first, second), _parity(first, _flipped(second))
    gates = operations.two_qubit**2
    mixed = (1.0 - gates) / 8.0
    weights = [
        gates * ((1.0 - wrong) * equal + wrong * different) + mixed
        for equal, different in zip(even, odd, strict=True)
    ]
    success = sum(weights)
    return Round(success=success, pair=bell.Pair(*(each / success for each in weights)))


def _parity(first: bell.Pair, second: bell.Pair) -> tuple[float, float, float, float]:
    """Weights of Φ+, Ψ-, Ψ+, Φ- of the first pair where both have the same bit error."""
    return (
        first.phi_plus * second.phi_plus + first.phi_minus * second.phi_minus,
        first.psi_plus * second.psi_minus + first.psi_minus * second.psi_plus,
        first.psi_plus * second.psi_plus + first.psi_minus * second.psi_minus,
        first.phi_plus * second.phi_minus + first.phi_minus * second.phi_plus,
    )


def _flipped(state: bell.Pair) -> bell.Pair:
    """The pair with a bit error more."""
    return bell.Pair(state.psi_plus, state.phi_minus, state.phi_plus, state.psi_minus)


def _rotated(state: bell.Pair) -> bell.Pair:
    return bell.Pair(state.phi_plus, state.phi_minus, state.psi_plus, state.psi_minus)


def _check_rounds(rounds: int) -> None:
    if not 0 <= rounds <= MOST_ROUNDS:
        raise errors.InvalidRequest(
            f"{rounds} rounds of purification were asked for; ask for 0 to {MOST_ROUNDS}"
        )

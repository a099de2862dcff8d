"""How well a node works on its qubits: gates, readout, memories, and swaps with them.

The noise is that of Briegel, Dür, Cirac, Zoller, PRL 81, 5932 (1998): an imperfect gate leaves its qubits
completely mixed with the probability that is missing to its reliability, and a readout is wrong with
probability 1 - η.
"""

import math

import msgspec

from qfleet_controlplane import errors
from qfleet_controlplane.network.entanglement import bell


class InvalidOperations(errors.InvalidRequest):
    """A node cannot work so."""


class Operations(msgspec.Struct, frozen=True, kw_only=True):
    """Reliability of one- and two-qubit gates and of one readout, and of a swap's Bell measurement.

    Raises:
        InvalidOperations: for a probability outside its range.
    """

    one_qubit: float = 1.0
    two_qubit: float = 1.0
    readout: float = 1.0
    swap_success: float = 1.0

    def __post_init__(self) -> None:
        for name in ("one_qubit", "two_qubit", "readout", "swap_success"):
            least = 0.5 if name == "readout" else 0.0
            if not least <= getattr(self, name) <= 1.0:
                raise InvalidOperations(
                    f"{name} = {getattr(self, name):g} does not lie between {least:g} and 1"
                )
        if self.swap_success == 0.0:
            raise InvalidOperations("swap_success = 0: no Bell measurement would ever succeed")


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Time constants of one qubit's depolarising and dephasing, in seconds.

    After a time t a qubit is completely mixed with probability 1 - exp(-t/depolarising_s), and its phase
    coherence is down to exp(-t/dephasing_s).

    Raises:
        InvalidOperations: for a time constant that is not positive.
    """

    depolarising_s: float = math.inf
    dephasing_s: float = math.inf

    def __post_init__(self) -> None:
        for name in ("depolarising_s", "dephasing_s"):
            if not getattr(self, name) > 0.0:
                raise InvalidOperations(f"{name} = {getattr(self, name):g} must be more than 0")

    def kept(self, wait_s: float, qubits: int = 2) -> bell.Correlations:
        """What is left of the correlations after a wait of so many of the pair's qubits in such memories."""
        mixed = math.exp(-qubits * wait_s / self.depolarising_s)
        phase = mixed * math.exp(-qubits * wait_s / self.dephasing_s)
        return bell.Correlations(phase, phase, mixed)


PERFECT = Operations()
FOREVER = Memory()


def swap_factor(operations: Operations) -> bell.Correlations:
    """What a swap with these operations leaves of the product of both pairs' correlations.

    One gate, one correction, two readouts: a wrong readout puts a wrong Pauli on the far qubit. Twirled to a
    Werner pair this is p1 p2 (4η² - 1)/3 (Briegel et al. 1998, eq. 1).
    """
    gates = operations.one_qubit * operations.two_qubit
    right = 2.0 * operations.readout - 1.0
    return bell.Correlations(gates * right, gates * right * right, gates * right)


def swapped(first: bell.Pair, second: bell.Pair, operations: Operations = PERFECT) -> bell.Pair:
    """The pair between the far ends after a Bell measurement on the near ones and its correction."""
    product = first.correlations().times(second.correlations())
    return bell.of(product.times(swap_factor(operations)))


def decayed(state: bell.Pair, wait_s: float, memory: Memory, qubits: int = 2) -> bell.Pair:
    """The pair after a wait in memories.

    Raises:
        InvalidOperations: for a negative wait.
    """
    if wait_s < 0.0:
        raise InvalidOperations(f"a wait of {wait_s:g} s is not possible")
    return bell.of(state.correlations().times(memory.kept(wait_s, qubits)))

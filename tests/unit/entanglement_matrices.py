"""Density matrices for what the closed forms say: gates, readouts and memories by QuTiP."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import qutip as qt  # type: ignore[import-untyped]  # ships no types

from qfleet_controlplane.network.entanglement import bell, operations

ONE = qt.qeye(2)
PAULIS = (ONE, qt.sigmax(), qt.sigmay(), qt.sigmaz())
STATES = tuple(qt.bell_state(name) for name in ("00", "11", "10", "01"))


def state(pair: bell.Pair) -> qt.Qobj:
    """Two qubits with these probabilities of Φ+, Ψ-, Ψ+, Φ-."""
    return sum(weight * qt.ket2dm(ket) for weight, ket in zip(pair, STATES, strict=True))


def weights(matrix: qt.Qobj) -> tuple[float, ...]:
    """Overlaps of two qubits with Φ+, Ψ-, Ψ+, Φ-, over their trace."""
    found = [float(qt.expect(matrix, ket)) for ket in STATES]
    return tuple(each / float(matrix.tr().real) for each in found)


def on(count: int, gates: dict[int, qt.Qobj]) -> qt.Qobj:
    """A product of one-qubit operators."""
    return qt.tensor([gates.get(index, ONE) for index in range(count)])


def controlled_not(count: int, control: int, target: int) -> qt.Qobj:
    """Controlled-not between two of so many qubits."""
    zero, one = qt.ket2dm(qt.basis(2, 0)), qt.ket2dm(qt.basis(2, 1))
    return on(count, {control: zero}) + on(count, {control: one, target: qt.sigmax()})


def mixed(matrix: qt.Qobj, qubits: Sequence[int], reliability: float) -> qt.Qobj:
    """Some qubits completely mixed with the probability that is missing to a reliability."""
    count = len(matrix.dims[0])
    noisy = 0
    for paulis in itertools.product(PAULIS, repeat=len(qubits)):
        error = on(count, dict(zip(qubits, paulis, strict=True)))
        noisy = noisy + error * matrix * error.dag()
    return reliability * matrix + (1.0 - reliability) / 4 ** len(qubits) * noisy


def dephased(matrix: qt.Qobj, qubit: int, coherence: float) -> qt.Qobj:
    """One qubit whose off-diagonal elements shrink."""
    phase = on(len(matrix.dims[0]), {qubit: qt.sigmaz()})
    return (1.0 + coherence) / 2 * matrix + (1.0 - coherence) / 2 * phase * matrix * phase


def purified(
    first: bell.Pair, second: bell.Pair, noise: operations.Operations, *, rotate: bool
) -> tuple[float, qt.Qobj]:
    """Success and remaining pair of one comparison of parities. Qubits: A1, B1, A2, B2."""
    matrix = qt.tensor(state(first), state(second))
    if rotate:
        there = (-1j * math.pi / 4 * qt.sigmax()).expm()
        turn = on(4, {0: there, 2: there, 1: there.dag(), 3: there.dag()})
        matrix = turn * matrix * turn.dag()
    for control, target in ((0, 2), (1, 3)):
        gate = controlled_not(4, control, target)
        matrix = mixed(gate * matrix * gate.dag(), (control, target), noise.two_qubit)
    kept = 0 * matrix
    for a, b in itertools.product((0, 1), repeat=2):
        chance = _equal(a, b, noise.readout)
        read = on(4, {2: qt.ket2dm(qt.basis(2, a)), 3: qt.ket2dm(qt.basis(2, b))})
        kept = kept + chance * read * matrix * read
    left = kept.ptrace((0, 1))
    return float(left.tr().real), left / left.tr()


def swapped(first: bell.Pair, second: bell.Pair, noise: operations.Operations) -> qt.Qobj:
    """The outer pair after a Bell measurement inside and its correction. Qubits: A, C1, C2, B."""
    matrix = mixed(qt.tensor(state(first), state(second)), (1, 2), noise.two_qubit)
    gate = on(4, {1: (qt.sigmax() + qt.sigmaz()) / math.sqrt(2)}) * controlled_not(4, 1, 2)
    matrix = gate * matrix * gate.dag()
    outer = 0
    for phase, bit in itertools.product((0, 1), repeat=2):
        read = on(4, {1: qt.ket2dm(qt.basis(2, phase)), 2: qt.ket2dm(qt.basis(2, bit))})
        seen = (read * matrix * read).ptrace((0, 3))
        for wrong_phase, wrong_bit in itertools.product((0, 1), repeat=2):
            wrong = wrong_phase + wrong_bit
            chance = noise.readout ** (2 - wrong) * (1.0 - noise.readout) ** wrong
            fix = on(2, {1: qt.sigmax() ** (bit ^ wrong_bit) * qt.sigmaz() ** (phase ^ wrong_phase)})
            outer = outer + chance * fix.dag() * seen * fix
    return mixed(outer, (1,), noise.one_qubit)


def _equal(a: int, b: int, readout: float) -> float:
    right = readout**2 + (1.0 - readout) ** 2
    return right if a == b else 1.0 - right


def random_pair(generator: np.random.Generator) -> bell.Pair:
    """Any Bell-diagonal pair."""
    return bell.pair(*(float(each) for each in generator.dirichlet((2.0, 1.0, 1.0, 1.0))))

"""The noise of a program: which channel acts after which gate, and how outcomes are misread.

The channels, for probability p, with I, X, Y, Z the Pauli matrices:

- ``depolarising`` on the n qubits of a gate together: ρ → (1 - p) ρ + p Tr(ρ) 1/2^n; of the 4^n products
  of Paulis each but the identity happens with probability p/4^n (Nielsen and Chuang, "Quantum Computation
  and Quantum Information", section 8.3.4, equation 8.100 for n = 1; ``depolarizing_error`` of Qiskit Aer).
- ``amplitude_damping`` on each qubit alone: K0 = diag(1, √(1 - p)), K1 = √p |0><1| (section 8.3.5).
- ``phase_damping`` on each qubit alone: K0 = diag(1, √(1 - p)), K1 = diag(0, √p); the same map as a Z with
  probability (1 - √(1 - p))/2 (section 8.3.6).

A misread outcome is a wrong bit: the state of the qubit is the one that belongs to the true outcome.
"""

from typing import Literal, NamedTuple, TypeAlias

import msgspec

from qfleet_wire.circuit import Gate

Channel: TypeAlias = Literal["depolarising", "amplitude_damping", "phase_damping"]


class AfterGate(msgspec.Struct, frozen=True, array_like=True):
    """A channel after each gate of this name (``gate_name``); ``qubits`` as in ``noise.GateNoise``."""

    gate: str
    channel: Channel
    probability: float
    qubits: tuple[int, ...] = ()


class OnQubit(msgspec.Struct, frozen=True, array_like=True):
    """A channel on a qubit after each gate that acts on it."""

    qubit: int
    channel: Channel
    probability: float


class Misread(msgspec.Struct, frozen=True, array_like=True):
    """Probabilities that a qubit's 0 is read as 1, and its 1 as 0."""

    qubit: int
    zero_as_one: float
    one_as_zero: float


class NoiseModel(msgspec.Struct, frozen=True, omit_defaults=True):
    """A checked model for one program. Probabilities are above 0 and at most 1, qubits are the program's."""

    gates: tuple[AfterGate, ...] = ()
    qubits: tuple[OnQubit, ...] = ()
    readout: tuple[Misread, ...] = ()


class Applied(NamedTuple):
    """A channel on qubits: depolarising on all of them together, damping on a single one."""

    channel: Channel
    probability: float
    qubits: tuple[int, ...]


class Rules:
    """A model made ready to be asked what follows a gate."""

    def __init__(self, model: NoiseModel) -> None:
        self._gates = model.gates
        self._qubits = model.qubits
        self._found: dict[tuple[str, tuple[int, ...]], tuple[Applied, ...]] = {}
        self.misread = {entry.qubit: (entry.zero_as_one, entry.one_as_zero) for entry in model.readout}
        """For each qubit that is misread, the probabilities to read 0 as 1 and 1 as 0."""

    def after(self, gate: Gate) -> tuple[Applied, ...]:
        """Return the channels that act after a gate, in order."""
        name = gate_name(gate)
        if not name:
            return ()
        qubits = (*(control.qubit for control in gate.controls), *gate.qubits)
        found = self._found.get((name, qubits))
        if found is None:
            found = self._found[name, qubits] = self._look_up(name, qubits)
        return found

    def _look_up(self, name: str, qubits: tuple[int, ...]) -> tuple[Applied, ...]:
        named = [rule for rule in self._gates if rule.gate == name and rule.qubits in ((), qubits)]
        own = [rule for rule in named if rule.qubits] or named
        after = [applied for rule in own for applied in _spread(rule.channel, rule.probability, qubits)]
        after += [
            Applied(rule.channel, rule.probability, (qubit,))
            for qubit in qubits
            for rule in self._qubits
            if rule.qubit == qubit
        ]
        return tuple(after)


def gate_name(gate: Gate) -> str:
    """Name a gate as noise models do: a ``c`` for each control before the base gate, such as ``ccx``.

    A controlled phase without a target is a ``p`` on its last control. A global phase acts on no qubit
    and has no name. Powers do not count.
    """
    if gate.name == "gphase":
        return "c" * (len(gate.controls) - 1) + "p" if gate.controls else ""
    return "c" * len(gate.controls) + gate.name


def _spread(channel: Channel, probability: float, qubits: tuple[int, ...]) -> list[Applied]:
    if channel == "depolarising":
        return [Applied(channel, probability, qubits)]
    return [Applied(channel, probability, (qubit,)) for qubit in qubits]

"""A noise model as people write it: in a job, and in a firmware profile.

What the channels do is defined in ``workload.noise``. Here are names and shapes only; whether the numbers
make sense is checked when a job is compiled, for only then the program is known.
"""

import msgspec


class GateNoise(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A channel after each gate of a name, such as ``cx``; with ``qubits`` only where it acts on these.

    ``qubits`` are in the gate's order, controls first. Of rules for a gate, those with matching ``qubits``
    are applied instead of those without any.
    """

    gate: str
    channel: str
    probability: float
    qubits: tuple[int, ...] = ()


class QubitNoise(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A channel on one qubit after each gate that acts on it, whatever the gate."""

    qubit: int
    channel: str
    probability: float


class ReadoutNoise(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """How outcomes are misread: row m has the probabilities to read 0 and 1 where the outcome is m.

    Without ``qubit`` it holds for all qubits that have no entry of their own.
    """

    probabilities: tuple[tuple[float, ...], ...]
    qubit: int | None = None


class Noise(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Rules in the order in which they are applied: those of the gate, then those of its qubits."""

    gates: tuple[GateNoise, ...] = ()
    qubits: tuple[QubitNoise, ...] = ()
    readout: tuple[ReadoutNoise, ...] = ()

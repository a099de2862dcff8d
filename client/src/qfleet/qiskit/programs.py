"""Circuits of Qiskit as programs of a fleet: OpenQASM 3, with inputs and registers in a known order."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qasm3, transpile
from qiskit.circuit import Parameter

from qfleet import errors

BASIS = (
    "id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg", "p", "rx", "ry", "rz", "u",
    "cx", "cy", "cz", "ch", "cp", "crx", "cry", "crz", "cu", "swap", "rxx", "ryy", "rzz", "rzx",
    "ccx", "cswap", "global_phase", "measure", "reset", "delay",
)  # fmt: skip
"""What stands in the text as it is; everything else but control flow is put in terms of these."""
CONTROL_FLOW = ("if_else", "for_loop", "while_loop", "switch_case", "break_loop", "continue_loop")


class Register(NamedTuple):
    """A classical register: its name, and where its bits stand in an outcome, bit 0 first."""

    name: str
    bits: tuple[int, ...]


class Exported(NamedTuple):
    """A circuit as a program.

    ``inputs`` are named in the order of the circuit's parameters. ``width`` is the number of bits of an
    outcome, whose lowest bit is the circuit's first.
    """

    text: str
    inputs: tuple[str, ...]
    registers: tuple[Register, ...]
    width: int


def export(circuit: QuantumCircuit) -> Exported:
    """Write a circuit as OpenQASM 3.

    Raises:
        UserError: it has something that no text can say.
    """
    names = {parameter: Parameter(f"p{number}") for number, parameter in enumerate(circuit.parameters)}
    # Parameters have names that a language may not know, such as θ[0].
    bare = circuit.assign_parameters(names) if names else circuit
    bare = transpile(bare, basis_gates=list(BASIS), optimization_level=0)
    flat = _plain(bare)
    try:
        text = qasm3.dumps(flat)
    except Exception as error:
        message = f"the circuit {circuit.name!r} cannot be written as OpenQASM 3: {error}"
        raise errors.UserError(message, hint="transpile it for this backend first") from error
    registers = tuple(
        Register(register.name, tuple(circuit.find_bit(bit).index for bit in register))
        for register in circuit.cregs
    )
    return Exported(text, tuple(each.name for each in names.values()), registers, circuit.num_clbits)


def _plain(circuit: QuantumCircuit) -> QuantumCircuit:
    """Put registers in order, so that the bits of an outcome are those of the circuit, the first lowest.

    Registers that part the bits in their order are left alone: control flow may name them.
    """
    laid = [bit for register in circuit.cregs for bit in register]
    if laid == list(circuit.clbits):
        return circuit
    flat = QuantumCircuit(
        QuantumRegister(circuit.num_qubits, "q"), ClassicalRegister(circuit.num_clbits, "outcome")
    )
    flat.compose(circuit, range(circuit.num_qubits), range(circuit.num_clbits), inplace=True)
    return flat


def points(inputs: Sequence[str], values: npt.NDArray[np.float64]) -> tuple[dict[str, float], ...]:
    """Parameter points of a job from an array of shape (points, inputs)."""
    if not inputs:
        return ()
    return tuple(dict(zip(inputs, map(float, row), strict=True)) for row in values)


def bits(counts: dict[str, int], width: int, seed: int) -> npt.NDArray[np.bool_]:
    """One row of bits for each shot, bit 0 first: shape (shots, width).

    Counts keep no order, so the shots come in one that is drawn: any part of them is a fair sample.
    """
    outcomes = [key.replace(" ", "") for key in counts]
    table = np.array([[bit == "1" for bit in reversed(key)] for key in outcomes], np.bool_)
    rows = np.repeat(np.arange(len(outcomes)), list(counts.values()))
    np.random.default_rng(seed).shuffle(rows)
    drawn: npt.NDArray[np.bool_] = table.reshape(len(outcomes), width)[rows]
    return drawn

"""``circuit.amplitudes``: bit strings → basis states.

A bit string has one digit for each qubit of the program, qubit 0 rightmost, as in Qiskit.
"""

from collections.abc import Sequence

from qfleet_controlplane.compile.compiled import RESULT_BYTES, CompiledJob, check_unused
from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_controlplane.compile.facts import ProgramFacts
from qfleet_wire import api, circuit
from qfleet_wire.limits import LIMITS

MOST = 100_000
"""Most bit strings of a job."""
_ITEM_BYTES = 256
_STRING_BYTES = 64


def compiled(
    request: api.JobRequest,
    program: circuit.Program,
    points: tuple[tuple[float, ...], ...],
    facts: ProgramFacts,
) -> CompiledJob:
    """Check what is asked of a compiled program.

    Raises:
        RequestRefused: a field's value cannot be served.
    """
    check_unused(request, "observables", "shots", "noise")
    if facts.dynamic:
        hint = "amplitudes are those of the state before final measurements: ask for circuit.sample"
        raise RequestRefused("program", "measures or resets in mid-course", hint)
    if program.qubits > LIMITS.qubits:
        hint = f"amplitudes are given of up to {LIMITS.qubits} qubits"
        raise RequestRefused("program", f"has {program.qubits} qubits", hint)
    read = states(request.bitstrings, program.qubits)
    result = _ITEM_BYTES + _STRING_BYTES * len(read)
    if result * len(points) > RESULT_BYTES:
        hint = "ask for fewer bit strings or parameter points"
        raise RequestRefused("bitstrings", f"may return {result * len(points)} bytes", hint)
    return CompiledJob(request.kind, program, (), points, 0, facts, result, bitstrings=read)


def states(texts: Sequence[str], qubits: int) -> tuple[int, ...]:
    """Return the basis states, qubit q as bit q.

    Raises:
        RequestRefused: there is none, there are too many, or one is no basis state; names it.
    """
    example = "0" * (qubits - 1) + "1"
    if not texts:
        hint = f"give at least one, such as '{example}' with qubit 0 rightmost"
        raise RequestRefused("bitstrings", "are missing", hint)
    if len(texts) > MOST:
        raise RequestRefused("bitstrings", f"are {len(texts)}", f"give at most {MOST}")
    seen: dict[str, int] = {}
    for number, text in enumerate(texts):
        if set(text) - {"0", "1"}:
            hint = f"use the digits 0 and 1, such as '{example}'"
            raise RequestRefused(f"bitstrings[{number}]", f"is {text[:80]!r}", hint)
        if len(text) != qubits:
            hint = f"give one for each of the {qubits} qubits, qubit 0 rightmost"
            raise RequestRefused(f"bitstrings[{number}]", f"has {len(text)} digits", hint)
        if (first := seen.setdefault(text, number)) != number:
            hint = "ask for each amplitude once"
            raise RequestRefused(f"bitstrings[{number}]", f"is {text!r}, as is bitstrings[{first}]", hint)
    return tuple(int(text, 2) for text in texts)

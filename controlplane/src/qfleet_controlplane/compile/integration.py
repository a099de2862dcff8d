"""``iit.phi``: a request → a step, a state, and the pairs of mechanism and purview to evaluate."""

import itertools
from collections.abc import Sequence

from qfleet_controlplane.compile import complexes, preparation
from qfleet_controlplane.compile.compiled import CompiledJob, asked
from qfleet_controlplane.compile.effort import Effort
from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_wire import api, circuit, codec
from qfleet_wire.workload import Operator, PhiEvaluate, PhiItem

QUBITS = 3
"""Most qubits of a system; entanglement of more has no criterion as simple."""
GATES = 10_000
"""Most gates of a step or a preparation."""
_ITEM_US = (100.0, 600.0, 3000.0)
"""Measured time of an item, by qubits, in µs on one core of an x86-64 server."""
_STEP_US = 10.0


def compile_integration(request: api.JobRequest) -> CompiledJob:
    """Compile an ``iit.phi`` job.

    Raises:
        RequestRefused: a field's value cannot be served.
        ProgramRefused: a program cannot run; with its place.
    """
    work = asked(request, api.PhiRequest)
    unitary, qubits = _step(work)
    state = _state(work, qubits)
    items = _items(work, qubits)
    base = PhiEvaluate(qubits, 0, items, unitary, state, work.cause_of)
    # An item's steps, in units of a gate on few qubits.
    effort = Effort(item_steps=_ITEM_US[qubits - 1] / _STEP_US, elements=5000.0, item_result_bytes=128)
    return CompiledJob(
        request.kind, None, (), ((),) * len(items), 0, None, 128, problem=codec.encode(base), effort=effort
    )


def _step(work: api.PhiRequest) -> tuple[Operator, int]:
    _one_of(work, "what the system does", "program", "unitary")
    if work.program:
        compiled = _gates("work.program", work.program)
        return Operator(gates=compiled[1]), compiled[0]
    matrix = complexes.square("work.unitary", work.unitary)
    qubits = _qubits("work.unitary", len(matrix))
    complexes.check_unitary("work.unitary", matrix)
    return Operator(matrix=_flat(matrix)), qubits


def _state(work: api.PhiRequest, qubits: int) -> Operator:
    _one_of(work, "the state of the system", "state", "preparation", "amplitudes", "density")
    if work.preparation:
        prepared, gates = _gates("work.preparation", work.preparation)
        _same("work.preparation", prepared, qubits)
        return Operator(gates=gates)
    if work.state:
        return Operator(matrix=_flat(complexes.outer(_labelled(work.state, qubits))))
    if work.amplitudes:
        amplitudes = complexes.vector("work.amplitudes", work.amplitudes)
        _same("work.amplitudes", _qubits("work.amplitudes", len(amplitudes)), qubits)
        pure = complexes.outer(complexes.normalised("work.amplitudes", amplitudes))
        return Operator(matrix=_flat(pure))
    density = complexes.square("work.density", work.density)
    _same("work.density", _qubits("work.density", len(density)), qubits)
    complexes.check_density("work.density", density)
    return Operator(matrix=_flat(density))


def _one_of(work: api.PhiRequest, what: str, *names: str) -> None:
    given = [name for name in names if getattr(work, name)]
    if len(given) != 1:
        told = f"says {what} {len(given)} times" if given else f"does not say {what}"
        raise RequestRefused(f"work.{(given or names)[-1]}", told, f"give one of {', '.join(names)}")


def _gates(field: str, text: str) -> tuple[int, tuple[circuit.Gate, ...]]:
    compiled = preparation.prepared(field, text, {})
    if not 1 <= compiled.qubits <= QUBITS:
        raise RequestRefused(field, f"has {compiled.qubits} qubits", f"use 1 to {QUBITS}")
    gates = tuple(each for each in compiled.body if isinstance(each, circuit.Gate))
    if len(gates) > GATES:
        raise RequestRefused(field, f"has {len(gates)} gates", f"use at most {GATES}")
    return compiled.qubits, gates


def _qubits(field: str, size: int) -> int:
    for qubits in range(1, QUBITS + 1):
        if size == 1 << qubits:
            return qubits
    raise RequestRefused(
        field, f"has {size} rows", f"give 2, 4 or 8: a row for each state of 1 to {QUBITS} qubits"
    )


def _same(field: str, found: int, qubits: int) -> None:
    if found != qubits:
        raise RequestRefused(field, f"is of {found} qubits", f"the step is of {qubits}; make them the same")


def _labelled(label: str, qubits: int) -> complexes.Vector:
    unknown = sorted(set(label) - complexes.LETTERS.keys())
    if unknown:
        raise RequestRefused("work.state", f"has the letter {unknown[0]!r}", "use 0, 1, +, -, r and l")
    _same("work.state", len(label), qubits)
    return complexes.kets(label)


def _items(work: api.PhiRequest, qubits: int) -> tuple[PhiItem, ...]:
    mechanisms = _subsets("mechanisms", work.mechanisms, qubits)
    purviews = _subsets("purviews", work.purviews, qubits)
    if len(set(work.directions)) != len(work.directions):
        raise RequestRefused("work.directions", "name a direction twice", "name each once")
    directions = work.directions or ("cause", "effect")
    triples = itertools.product(directions, mechanisms, purviews)
    return tuple(PhiItem(index, *triple) for index, triple in enumerate(triples))


def _subsets(name: str, given: Sequence[tuple[int, ...]], qubits: int) -> list[tuple[int, ...]]:
    if not given:
        return [some for size in range(1, qubits + 1) for some in itertools.combinations(range(qubits), size)]
    chosen: list[tuple[int, ...]] = []
    for place, named in enumerate(given):
        field = f"work.{name}[{place}]"
        if not named:
            raise RequestRefused(field, "is empty", "name at least one qubit")
        if any(not 0 <= qubit < qubits for qubit in named):
            raise RequestRefused(field, f"is {list(named)}", f"the system has qubits 0 to {qubits - 1}")
        if len(set(named)) != len(named) or tuple(sorted(named)) in chosen:
            raise RequestRefused(field, f"is {list(named)}: twice the same", "name each once")
        chosen.append(tuple(sorted(named)))
    return chosen


def _flat(matrix: complexes.Matrix) -> tuple[float, ...]:
    return tuple(part for row in matrix for number in row for part in (number.real, number.imag))

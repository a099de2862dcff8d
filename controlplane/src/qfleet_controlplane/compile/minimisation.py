"""``variational.minimise``: request → the work of a start, its cost, and the first points.

The ansatz is QAOA for a cost of Z products, a hardware-efficient program, or the user's own program,
whose inputs are varied. A program must be static: then values and gradients are exact.
"""

import math
from typing import NamedTuple

from qfleet_controlplane.compile import ansatz, evaluations, interface, objectives, points, program, source
from qfleet_controlplane.compile.compiled import (
    PROGRAM_BYTES,
    CompiledJob,
    asked,
    check_number,
    check_unused,
)
from qfleet_controlplane.compile.effort import Effort
from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_wire import api, circuit, circuit_facts, codec, workload

STARTS = 4
"""Starts of a job that says none."""
MOST_STARTS = 10_000
PARAMETERS = 1000
"""Most parameters that are varied."""
EVALUATIONS = 100_000
BEST = 1000
SHOTS = 1024
MOST_SHOTS = 1_000_000

_LIBRARY_BYTES = 64 * 1024 * 1024
"""What importing SciPy's optimisers takes of a worker's memory (measured: 46 MiB)."""
_STATES = 6
"""Vectors of complex doubles that a gradient works on: two states, their successors, cost and scratch."""


class _Varied(NamedTuple):
    """What is varied: a program, or None for QAOA."""

    program: circuit.Program | None
    names: tuple[str, ...]
    qubits: int
    smooth: bool


def minimise(request: api.JobRequest) -> CompiledJob:
    """Compile a job of this kind.

    Raises:
        RequestRefused: a field's value cannot be served.
        ProgramRefused: the program cannot run; with its place.
    """
    work = asked(request, api.VariationalRequest, using=("program", "parameters", "shots"))
    varied = _varied(request, work)
    cost = objectives.observable(work.cost, varied.qubits)
    diagonal = objectives.is_diagonal(cost)
    if varied.program is None and not diagonal:
        hint = "use Z alone, or another ansatz"
        raise RequestRefused(objectives.FIELD, "has X or Y, which QAOA does not take", hint)
    first = _points(request, work, varied.names)
    _check_bounds(request, work, diagonal=diagonal)
    base = workload.VariationalMinimise(
        seed=0,
        qubits=varied.qubits,
        cost=cost,
        items=(),
        optimiser=_optimiser(work, smooth=varied.smooth),
        evaluations=work.evaluations,
        tolerance=work.tolerance,
        program=varied.program,
        layers=len(varied.names) // 2 if varied.program is None else 0,
        shots=(request.shots or SHOTS) if diagonal and work.best else 0,
        best=work.best if diagonal else 0,
    )
    problem = codec.encode(base)
    if len(problem) > PROGRAM_BYTES:
        hint = f"at most {PROGRAM_BYTES} are sent to a device; shorten the cost or the program"
        raise RequestRefused("work", f"compiles to {len(problem)} bytes", hint)
    effort = _effort(base, len(varied.names))
    return CompiledJob(
        request.kind,
        None,
        (),
        first,
        0,
        None,
        effort.item_result_bytes,
        problem=problem,
        effort=effort,
        qubits=varied.qubits,
    )


def _varied(request: api.JobRequest, work: api.VariationalRequest) -> _Varied:
    needed = objectives.width(work.cost)
    if work.ansatz is None:
        return _own_program(request, work)
    check_unused(request, "program")
    if work.fixed:
        raise RequestRefused("work.fixed", "is given and no program's inputs", "leave it out")
    match work.ansatz:
        case api.QaoaAnsatz(layers=layers):
            check_number("work.ansatz.layers", layers, 1, ansatz.LAYERS)
            kinds = ("gamma", "beta")
            names = tuple(f"{kind}_{layer}" for kind in kinds for layer in range(1, layers + 1))
            found = _Varied(None, names, max(needed, 1), smooth=True)
        case api.HardwareEfficientAnsatz():
            built = ansatz.hardware_efficient(work.ansatz, needed)
            found = _Varied(built, built.parameters, built.qubits, smooth=True)
    _check_parameters(found.names)
    return found


def _own_program(request: api.JobRequest, work: api.VariationalRequest) -> _Varied:
    if not request.program.strip():
        hint = "name an ansatz under 'work.ansatz', or give a program whose inputs are varied"
        raise RequestRefused("work.ansatz", "is missing", hint)
    loaded = source.load(request.program)
    inputs = [each.name for each in interface.inputs(loaded.tree)]
    for name, value in work.fixed.items():
        if name not in inputs:
            raise RequestRefused(f"work.fixed.{name}", "is no input of the program", points.told(inputs))
        if not math.isfinite(value):
            raise RequestRefused(f"work.fixed.{name}", f"is {value}", "give a finite number")
    names = tuple(name for name in inputs if name not in work.fixed)
    _check_parameters(names)
    compiled = program.compile_source(loaded, bindings=work.fixed, swept=names)
    split = circuit_facts.split_static(compiled)
    if split is None:
        hint = "leave measurements and resets in mid-course, and branches on outcomes, out"
        raise RequestRefused("program", "has outcomes that steer it", hint)
    return _Varied(compiled, names, compiled.qubits, all(map(_is_smooth, split.gates)))


def _is_smooth(gate: circuit.Gate) -> bool:
    varied = any(map(circuit_facts.reads_parameter, gate.arguments))
    return not varied or (gate.power == 1 and all(map(circuit_facts.is_smooth, gate.arguments)))


def _check_parameters(names: tuple[str, ...]) -> None:
    if not names:
        hint = "declare inputs, such as 'input float theta;', that are not all fixed"
        raise RequestRefused("program", "has nothing to vary", hint)
    if len(names) > PARAMETERS:
        raise RequestRefused("work.ansatz", f"has {len(names)} parameters", f"vary at most {PARAMETERS}")


def _points(
    request: api.JobRequest, work: api.VariationalRequest, names: tuple[str, ...]
) -> tuple[tuple[float, ...], ...]:
    """First points of all starts, empty where they are to be drawn."""
    points.check_points(request, names)
    given = tuple(tuple(float(point[name]) for name in names) for point in request.parameters)
    starts = max(STARTS, len(given)) if work.starts is None else work.starts
    check_number("work.starts", starts, 1, MOST_STARTS)
    if starts < len(given):
        hint = "ask for as many starts as first points, or more"
        raise RequestRefused("work.starts", f"is {starts} for {len(given)} parameter points", hint)
    return given + ((),) * (starts - len(given))


def _check_bounds(request: api.JobRequest, work: api.VariationalRequest, *, diagonal: bool) -> None:
    check_number("work.evaluations", work.evaluations, 1, EVALUATIONS)
    check_number("work.tolerance", work.tolerance, 1e-15, 1.0)
    check_number("work.best", work.best, 0, BEST)
    check_number("shots", request.shots, 0, MOST_SHOTS)
    if request.shots and not diagonal:
        hint = "leave them out: only a cost of Z products gives a string of bits a cost"
        raise RequestRefused("shots", "are given for a cost with X or Y", hint)


def _optimiser(work: api.VariationalRequest, *, smooth: bool) -> workload.Optimiser:
    if work.optimiser == "auto":
        return "l-bfgs-b" if smooth else "cobyla"
    if work.optimiser == "l-bfgs-b" and not smooth:
        hint = "use cobyla or nelder-mead, or angles that have a derivative"
        raise RequestRefused("work.optimiser", "needs gradients, and the program's angles have steps", hint)
    return work.optimiser


def _effort(base: workload.VariationalMinimise, parameters: int) -> Effort:
    """Cost of one start."""
    work = evaluations.of_start(base, parameters)
    return Effort(
        item_parts=work.parts,
        item_passes=work.passes,
        elements=2.0**base.qubits,
        memory_bytes=_LIBRARY_BYTES + _STATES * (16 << min(base.qubits, 50)),
        item_result_bytes=256 + 9 * (parameters + workload.TRACE) + 28 * min(base.best, base.shots),
    )

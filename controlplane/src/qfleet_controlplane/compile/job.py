"""A job request → what planning needs, or a refusal that names the field.

An expectation of a static program is exact: it is the value before the final measurements, which
are left out, and ``shots`` is ignored. One of a dynamic program is sampled, with the state at
the end of each shot.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from qfleet_controlplane.compile import (
    annealing,
    bitstrings,
    clifford,
    estimation,
    integration,
    interface,
    kernel_matrix,
    minimisation,
    noise,
    observables,
    recent,
    reliance,
    source,
)
from qfleet_controlplane.compile.compiled import (
    PROGRAM_BYTES,
    RESULT_BYTES,
    CompiledJob,
    check_number,
    check_unused,
)
from qfleet_controlplane.compile.dynamics.request import compile_dynamics
from qfleet_controlplane.compile.errors import ObservableRefused, RequestRefused, a_job
from qfleet_controlplane.compile.facts import ProgramFacts, check_length, facts_of
from qfleet_controlplane.compile.gradients import gradient_inputs, shifted_program
from qfleet_controlplane.compile.interface import Input
from qfleet_controlplane.compile.points import check_points
from qfleet_wire import api, circuit, circuit_facts, codec
from qfleet_wire.limits import LIMITS
from qfleet_wire.workload import SHOTS_PER_BLOCK

OBSERVABLES = 10_000
"""Most observables of a job."""

_YEAR_S = 366 * 24 * 3600.0


def compile_job(request: api.JobRequest) -> CompiledJob:
    """Validate and compile a whole request.

    Raises:
        RequestRefused: a field's value cannot be served.
        ProgramRefused: the program cannot run; with its place.
        ObservableRefused: an observable cannot be read; with its place.
    """
    _check_common(request)
    if request.kind not in noise.CIRCUITS:
        check_unused(request, "noise")
    return _COMPILERS[request.kind](request)


def _program(request: api.JobRequest) -> CompiledJob:
    if request.work is not None:
        raise RequestRefused("work", f"is given for {a_job(request.kind)}", "leave it out")
    if not request.program.strip():
        raise RequestRefused("program", "is empty", "give OpenQASM 2 or 3 text")
    loaded = source.load(request.program)
    declared = interface.inputs(loaded.tree)
    _check_parameters(request, declared)
    wanted = gradient_inputs(request, declared)
    bindings, swept = _split(request, declared, wanted)
    compiled, places = recent.compile_source(request.program, loaded, bindings=bindings, swept=swept)
    points = tuple(tuple(float(each[name]) for name in swept) for each in request.parameters) or ((),)
    recipe = None
    if wanted:
        compiled, points, recipe = shifted_program(compiled, wanted, points, places)
    size = len(codec.encode(compiled))
    if size > PROGRAM_BYTES:
        hint = f"at most {PROGRAM_BYTES} are sent to a device; shorten the program"
        raise RequestRefused("program", f"compiles to {size} bytes", hint)
    facts = facts_of(compiled)
    if facts.dynamic:
        check_length(compiled, max(request.shots, 1) * len(points))
    done = _PROGRAMS[request.kind](request, compiled, points, facts)
    if request.noise is not None:
        return noise.applied(request, done)
    if request.kind == "circuit.amplitudes":
        return done
    obstacle = clifford.obstacle(compiled, points, places, exact=request.kind == "circuit.expect")
    return replace(done, clifford=obstacle is None, obstacle=obstacle, gradient=recipe)


def _check_common(request: api.JobRequest) -> None:
    reliance.check(request)
    check_number("max_attempts", request.max_attempts, 1, 100)
    check_number("lost_after_s", request.lost_after_s, 1, _YEAR_S)
    check_number("time_limit_s", request.time_limit_s, 0.001, _YEAR_S)
    check_number("priority", request.priority, -1000, 1000)
    if request.deadline_s is not None:
        check_number("deadline_s", request.deadline_s, 0.001, _YEAR_S)
    if request.seed is not None:
        check_number("seed", request.seed, 0, (1 << 63) - 1)
    if request.bitstrings and request.kind != "circuit.amplitudes":
        hint = "ask for circuit.amplitudes"
        raise RequestRefused("bitstrings", f"are given for {a_job(request.kind)}", hint)
    if len(request.name) > 200:
        raise RequestRefused("name", f"has {len(request.name)} characters", "use at most 200")
    for number, tag in enumerate(request.residency):
        if not tag.strip():
            hint = "give a tag such as 'EU', or no residency for every region"
            raise RequestRefused(f"residency[{number}]", f"is {tag!r}, which is no tag", hint)


def _echo(request: api.JobRequest) -> CompiledJob:
    check_number("items", request.items, 1, LIMITS.items)
    check_unused(request, "program", "observables", "parameters", "shots", "work", "gradient")
    return CompiledJob("probe.echo", None, (), ((),) * request.items, 0, None, 1024)


def _check_parameters(request: api.JobRequest, declared: tuple[Input, ...]) -> None:
    names = [each.name for each in declared]
    if not request.parameters and names:
        listed = ", ".join(sorted(names))
        raise RequestRefused("parameters", f"gives no value for {listed}", "give a value for each input")
    check_points(request, names)


def _split(
    request: api.JobRequest, declared: tuple[Input, ...], wanted: tuple[str, ...]
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Inputs that are constant over all points and not ``wanted`` as they are, and names of the others."""
    bindings, swept = {}, []
    for each in declared:
        values = {point[each.name] for point in request.parameters}
        if len(values) == 1 and each.name not in wanted:
            bindings[each.name] = values.pop()
        else:
            swept.append(each.name)
    return bindings, tuple(swept)


def _check_shots(request: api.JobRequest, points: int) -> None:
    if request.shots < 1:
        raise RequestRefused("shots", f"is {request.shots}", f"give a number from 1 to {LIMITS.shots}")
    if request.shots * points > LIMITS.shots:
        total = request.shots * points
        hint = f"a job has at most {LIMITS.shots} over all parameter points"
        raise RequestRefused("shots", f"makes {total} shots in all", hint)


def _sample(
    request: api.JobRequest,
    compiled: circuit.Program,
    points: tuple[tuple[float, ...], ...],
    facts: ProgramFacts,
) -> CompiledJob:
    if request.observables:
        raise RequestRefused("observables", "are given for a circuit.sample job", "ask for circuit.expect")
    _check_shots(request, len(points))
    if not facts.output_bits:
        hint = "declare a bit register and measure into it: bit[2] c; c = measure q;"
        raise RequestRefused("program", "returns no bits", hint)
    if not any(
        isinstance(each, circuit.Measure) and each.slot is not None
        for each in circuit_facts.walk(compiled.body)
    ):
        hint = "measure into a bit register, or ask for circuit.expect with observables"
        raise RequestRefused("program", "measures nothing that it returns", hint)
    outcomes = min(request.shots, 1 << min(facts.output_bits, 62))
    result = 256 + outcomes * (-(-facts.output_bits // 8) + 5)
    _check_result(result, len(points))
    return CompiledJob(request.kind, compiled, (), points, request.shots, facts, result)


def _expect(
    request: api.JobRequest,
    compiled: circuit.Program,
    points: tuple[tuple[float, ...], ...],
    facts: ProgramFacts,
) -> CompiledJob:
    if not request.observables:
        raise RequestRefused("observables", "are missing", "give at least one Pauli sum, such as 'Z0 Z1'")
    if len(request.observables) > OBSERVABLES:
        hint = f"give at most {OBSERVABLES}"
        raise RequestRefused("observables", f"are {len(request.observables)}", hint)
    parsed = []
    for number, text in enumerate(request.observables):
        try:
            parsed.append(observables.parse_observable(text, compiled.qubits))
        except ObservableRefused as error:
            raise ObservableRefused(error.message, error.column, error.hint, number) from None
    if request.shots < 0:
        raise RequestRefused("shots", f"is {request.shots}", "give 0 or more")
    if facts.dynamic:
        _check_dynamic(request, len(points))
    shots = request.shots if facts.dynamic else 0
    blocks = max(1, -(-shots // SHOTS_PER_BLOCK))
    result = 256 + blocks * (24 + 18 * len(parsed))
    _check_result(result, len(points))
    return CompiledJob(request.kind, compiled, tuple(parsed), points, shots, facts, result)


def _check_dynamic(request: api.JobRequest, points: int) -> None:
    if not request.shots:
        hint = "the program measures or resets in mid-course, so its values are averages over shots"
        raise RequestRefused("shots", "is 0 for a dynamic program", hint)
    _check_shots(request, points)


def _check_result(item: int, points: int) -> None:
    if item > LIMITS.artefact_bytes or item * points > RESULT_BYTES:
        total = item * points
        hint = "ask for fewer shots, parameter points or observables"
        raise RequestRefused("shots", f"may return {total} bytes, over {RESULT_BYTES}", hint)


_Points: TypeAlias = tuple[tuple[float, ...], ...]
_PROGRAMS: dict[str, Callable[[api.JobRequest, circuit.Program, _Points, ProgramFacts], CompiledJob]] = {
    "circuit.sample": _sample,
    "circuit.expect": _expect,
    "circuit.amplitudes": bitstrings.compiled,
}
_COMPILERS: dict[str, Callable[[api.JobRequest], CompiledJob]] = {
    "probe.echo": _echo,
    "circuit.sample": _program,
    "circuit.expect": _program,
    "anneal.sample": annealing.compile_annealing,
    "variational.minimise": minimisation.minimise,
    "amplitude.estimate": estimation.compile_estimation,
    "iit.phi": integration.compile_integration,
    "circuit.amplitudes": _program,
    "kernel.matrix": kernel_matrix.kernel,
    "dynamics.solve": compile_dynamics,
}

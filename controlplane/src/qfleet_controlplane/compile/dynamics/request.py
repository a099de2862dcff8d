"""A whole request for ``dynamics.solve`` → a compiled job."""

import itertools
import math

from qfleet_controlplane.compile import compiled
from qfleet_controlplane.compile.compiled import PROGRAM_BYTES, RESULT_BYTES, CompiledJob, check_number
from qfleet_controlplane.compile.dynamics import points as parameters
from qfleet_controlplane.compile.dynamics import sampling, size, space, terms
from qfleet_controlplane.compile.dynamics.operators import Space
from qfleet_controlplane.compile.dynamics.points import Points
from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_wire import api, codec
from qfleet_wire.limits import LIMITS
from qfleet_wire.workload import TRAJECTORIES_PER_BLOCK
from qfleet_wire.workload.dynamics import DynamicsMethod, Preparation, System, Term

TIMES = 100_000
"""Most times of a job."""
MEMORY_BYTES = 1 << 40
"""What no device has: beyond it a job is refused before any fleet is looked at."""
EVALUATIONS = 1e12
"""Most evaluations of the generator at a point: months on any device."""


def compile_dynamics(request: api.JobRequest) -> CompiledJob:
    """Check and compile what a job of this kind asks for.

    Raises:
        RequestRefused: with the field, and the column where its text has one.
    """
    work = compiled.asked(request, api.DynamicsRequest)
    _check_solver(work)
    declared = space.declared(work)
    points = parameters.given(work)
    system = _system(work, declared, points)
    used = [term.coefficient for term in (*system.hamiltonian, *system.jumps)]
    parameters.check_used(points, (*used, *(each.value for each in system.initial)))
    weights = sampling.check(system, declared.names, points)
    _check_memory(system, declared)
    _check_evaluations(system, declared, weights)
    encoded = codec.encode(system)
    if len(encoded) > PROGRAM_BYTES:
        hint = f"at most {PROGRAM_BYTES} are sent to a device; give fewer terms or times"
        raise RequestRefused("work", f"compiles to {len(encoded)} bytes", hint)
    return CompiledJob(
        request.kind,
        None,
        (),
        points.vectors,
        work.trajectories,
        None,
        _result_bytes(work, system, len(points.vectors)),
        encoded,
        size.effort(system, declared, weights),
    )


def times(work: api.DynamicsRequest) -> tuple[float, ...]:
    """The times at which observables are asked for, checked.

    Raises:
        RequestRefused: they do not ascend, or are too many or too few.
    """
    if isinstance(work.times, api.DynamicsGrid):
        return _grid(work.times)
    found = tuple(float(t) for t in work.times)
    if not 2 <= len(found) <= TIMES:
        raise RequestRefused("work.times", f"has {len(found)} times", f"give 2 to {TIMES}, the start first")
    for number, t in enumerate(found):
        if not math.isfinite(t):
            raise RequestRefused(f"work.times[{number}]", f"is {t}", "give finite times")
    for number, (before, after) in enumerate(itertools.pairwise(found), 1):
        if after <= before:
            hint = "times ascend; the evolution begins at the first"
            raise RequestRefused(f"work.times[{number}]", f"is {after:g}, after {before:g}", hint)
    return found


def _grid(grid: api.DynamicsGrid) -> tuple[float, ...]:
    check_number("work.times.points", grid.points, 2, TIMES)
    if not (math.isfinite(grid.start) and math.isfinite(grid.stop) and grid.start < grid.stop):
        hint = "times ascend: give a stop after the start"
        raise RequestRefused("work.times.stop", f"is {grid.stop:g}, start is {grid.start:g}", hint)
    span, last = grid.stop - grid.start, grid.points - 1
    return (*(grid.start + span * k / last for k in range(last)), grid.stop)


def _check_solver(work: api.DynamicsRequest) -> None:
    check_number("work.rtol", work.rtol, 1e-12, 1e-2)
    check_number("work.atol", work.atol, 1e-15, 1e-2)
    check_number("work.max_step", work.max_step, 0.0, 1e12)
    if not work.hamiltonian and not work.collapse:
        raise RequestRefused("work.hamiltonian", "is empty, and so is work.collapse", "give what evolves")
    if not work.observables:
        raise RequestRefused("work.observables", "is empty", "give an operator whose mean you want: 'Z(q)'")


def _system(work: api.DynamicsRequest, declared: Space, points: Points) -> System:
    initial = terms.initial(work, declared, points.known)
    jumps = terms.jumps(work, declared, points.known)
    method = _method(work, initial, jumps, declared)
    return System(
        subsystems=declared.subsystems,
        initial=initial,
        hamiltonian=terms.hamiltonian(work, declared, points.known),
        jumps=jumps,
        observables=terms.observables(work, declared),
        times=times(work),
        method=method,
        parameters=points.names,
        rtol=work.rtol,
        atol=work.atol,
        max_step=work.max_step,
    )


def _method(
    work: api.DynamicsRequest,
    initial: tuple[Preparation, ...],
    jumps: tuple[Term, ...],
    declared: Space,
) -> DynamicsMethod:
    mixed = [name for name, each in zip(declared.names, initial, strict=True) if each.kind == "thermal"]
    method = work.method or ("mesolve" if jumps or mixed else "sesolve")
    if mixed and method != "mesolve":
        hint = "ask for mesolve, which evolves mixed states"
        raise RequestRefused(f"work.initial.{mixed[0]}", f"is a mixed state for {method}", hint)
    if method == "sesolve" and jumps:
        hint = "ask for mesolve or mcsolve, or leave work.collapse out"
        raise RequestRefused("work.method", "is sesolve with collapse operators", hint)
    if method == "mcsolve" and not jumps:
        hint = "without them nothing is random: ask for sesolve"
        raise RequestRefused("work.method", "is mcsolve without collapse operators", hint)
    _check_trajectories(work, method)
    return method


def _check_trajectories(work: api.DynamicsRequest, method: DynamicsMethod) -> None:
    number = max(1, len(work.parameters))
    if method != "mcsolve" and work.trajectories:
        raise RequestRefused("work.trajectories", f"is given for {method}", "leave it out; mcsolve has it")
    if method == "mcsolve" and not 2 <= work.trajectories <= LIMITS.shots // number:
        hint = f"give 2 to {LIMITS.shots // number}; the error falls as 1/√trajectories"
        raise RequestRefused("work.trajectories", f"is {work.trajectories}", hint)


def _check_memory(system: System, declared: Space) -> None:
    needed = size.memory_bytes(system, declared)
    if needed > MEMORY_BYTES:
        message = (
            f"make a space of dimension {declared.dimension:,}, for which {system.method} "
            f"needs {needed / 2**30:,.0f} GiB"
        )
        hint = "give fewer subsystems or levels"
        if system.method == "mesolve":
            hint += ", or ask for mcsolve: it evolves vectors, not matrices"
        raise RequestRefused("work.subsystems", message, hint)


def _check_evaluations(system: System, declared: Space, weights: size.Weights) -> None:
    needed = size.evaluations(system, declared, weights)
    if not needed <= EVALUATIONS:
        message = f"needs about {needed:.2g} evaluations of the generator at each point"
        hint = f"at most {EVALUATIONS:.0e}: give shorter times, smaller coefficients or a longer max_step"
        raise RequestRefused("work.times", message, hint)


def _result_bytes(work: api.DynamicsRequest, system: System, points: int) -> int:
    blocks = -(-work.trajectories // TRAJECTORIES_PER_BLOCK)
    columns = len(system.times) * len(system.observables)
    item = 256 + (blocks * (32 + 18 * columns) if blocks else 9 * columns)
    if item > LIMITS.artefact_bytes or item * points > RESULT_BYTES:
        total = f"{item * points:,} bytes, over {RESULT_BYTES:,}"
        hint = "ask for fewer times, observables, trajectories or points"
        raise RequestRefused("work.times", f"may return {total}", hint)
    return item

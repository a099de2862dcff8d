"""``anneal.sample``: a request → a checked work, its schedule and its cost.

What the schedule leaves open is chosen from the biases of the spin form, s = 2x - 1, with the local field
f of a variable (|h| + Σ|J|) and b, the smallest bias that is not 0 but at least ``_LEAST_BIAS`` × max f:

* β₁ = ln 2 / (2 max f): the variable that is held most flips against its field every second time.
* β₂ = ln(100 n) / (2 b): at the end all n variables together are excited once in 100 reads.
* Γ = half the median of f, and β = min(β₂, ``_FIELD`` / Γ): the field outweighs the model at first, and the
  paths, which have about βΓ breaks per variable, stay cheap.

D-Wave's samplers choose β₁ and β₂ by the same two thoughts; their path-integral sampler has no field unless
it is told.
"""

import math
import statistics
from typing import NamedTuple

from qfleet_controlplane.compile import quadratic
from qfleet_controlplane.compile.compiled import PROGRAM_BYTES, CompiledJob, asked, check_number
from qfleet_controlplane.compile.effort import Effort
from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_wire import api, codec
from qfleet_wire.workload import AnnealSample, QuadraticModel

READS = 1_000_000
SWEEPS = 10_000_000
KEEP = 10_000
CHECKED_TERMS = 2_000_000
"""Most terms of the energies that one result's check adds up, ``keep`` × terms: a fifth of a second."""
TABU_VARIABLES = 4_000
"""Tabu search keeps the biases as a dense matrix."""
STEPS = 1e11
"""Most sweeps × biases of one read: minutes of simulated annealing."""
SWEEPS_IN_ALL = 100_000_000_000
"""Most reads × sweeps of a job."""
STEPS_IN_ALL = 1e15
"""Most reads × sweeps × biases of a job: about a year of a core."""
_LEAST_BIAS = 0.01
_FIELD = 10.0
_WORST_FIELD = 1000.0
_ENGINE_BYTES = 64 * 1024 * 1024
"""Import of the samplers and of dimod: 32 MiB of data were measured."""


class Schedule(NamedTuple):
    """Inverse temperatures at the beginning and end, and the transverse field at the beginning."""

    beta: tuple[float, float]
    transverse_field: float = 0.0


class _Fields(NamedTuple):
    largest: float
    median: float
    bias: float


def compile_annealing(request: api.JobRequest) -> CompiledJob:
    """Compile an ``anneal.sample`` job.

    Raises:
        RequestRefused: a field's value cannot be served.
    """
    work = asked(request, api.AnnealRequest)
    check_number("work.reads", work.reads, 1, READS)
    check_number("work.sweeps", work.sweeps, 1, SWEEPS)
    check_number("work.keep", work.keep, 1, KEEP)
    model = quadratic.read(work.model).quadratic
    _check_size(work, model)
    schedule = _schedule(work, model)
    base = AnnealSample(
        model, 0, (), work.method, work.sweeps, work.keep, schedule.beta, schedule.transverse_field
    )
    problem = codec.encode(base)
    if len(problem) > PROGRAM_BYTES:
        hint = f"at most {PROGRAM_BYTES} are sent to a device; leave out what is 0"
        raise RequestRefused(quadratic.FIELD, f"compiles to {len(problem)} bytes", hint)
    effort = _effort(work, model, schedule)
    result = effort.item_result_bytes + round(work.reads * effort.shot_result_bytes)
    return CompiledJob(
        request.kind, None, (), ((),), work.reads, None, result, problem=problem, effort=effort
    )


def _check_size(work: api.AnnealRequest, model: QuadraticModel) -> None:
    terms = _terms(model)
    if work.keep * terms > CHECKED_TERMS:
        most = max(1, CHECKED_TERMS // terms)
        hint = f"every kept state's energy is checked; keep at most {most}"
        raise RequestRefused("work.keep", f"is {work.keep} for a model of {terms} biases", hint)
    if work.method == "tabu" and len(model.linear) > TABU_VARIABLES:
        hint = f"tabu search takes at most {TABU_VARIABLES}; use simulated annealing"
        raise RequestRefused("work.method", f"is tabu for {len(model.linear)} variables", hint)
    if work.sweeps * terms > STEPS:
        hint = f"at most {int(STEPS // terms)} for a model of {terms} biases"
        raise RequestRefused("work.sweeps", f"is {work.sweeps}", hint)
    most = min(SWEEPS_IN_ALL, int(STEPS_IN_ALL // terms))
    if work.reads * work.sweeps > most:
        hint = f"at most {most:,} for a model of {terms} biases: fewer reads, or fewer sweeps"
        raise RequestRefused("work.reads", f"makes {work.reads * work.sweeps:,} sweeps in all", hint)


def _terms(model: QuadraticModel) -> int:
    return len(model.linear) + len(model.biases)


def _schedule(work: api.AnnealRequest, model: QuadraticModel) -> Schedule:
    _check_method(work)
    fields = _fields(model)
    if work.method == "path-integral":
        return _with_field(work, fields, len(model.linear))
    if work.beta_range is None:
        return Schedule(_range(fields, len(model.linear)))
    if not (all(map(math.isfinite, work.beta_range)) and 0.0 < work.beta_range[0] <= work.beta_range[1]):
        hint = "give two positive numbers, the smaller one first"
        raise RequestRefused("work.beta_range", f"is {list(work.beta_range)}", hint)
    return Schedule(work.beta_range)


def _check_method(work: api.AnnealRequest) -> None:
    for name, methods in (
        ("beta_range", ("simulated",)),
        ("beta", ("path-integral",)),
        ("transverse_field", ("path-integral",)),
    ):
        if getattr(work, name) is not None and work.method not in methods:
            hint = f"leave it out, or use the method {methods[0]}"
            raise RequestRefused(f"work.{name}", f"is given for the method {work.method}", hint)


def _with_field(work: api.AnnealRequest, fields: _Fields, variables: int) -> Schedule:
    gamma = fields.median / 2.0 if work.transverse_field is None else work.transverse_field
    if work.transverse_field is not None:
        check_number("work.transverse_field", gamma, 0, quadratic.LARGEST)
    if work.beta is None:
        beta = _range(fields, variables)[1]
        beta = min(beta, _FIELD / gamma) if gamma > 0 else beta
    else:
        beta = work.beta
        if not 0.0 < beta <= quadratic.LARGEST:
            raise RequestRefused("work.beta", f"is {beta}", "give a positive number")
    if beta * gamma > _WORST_FIELD:
        hint = f"at most {_WORST_FIELD:g}: paths have about so many breaks per variable"
        raise RequestRefused("work.beta", f"times the transverse field is {beta * gamma:g}", hint)
    return Schedule((beta, beta), gamma)


def _range(fields: _Fields, variables: int) -> tuple[float, float]:
    if fields.largest == 0.0:
        return (0.1, 1.0)
    first = math.log(2.0) / (2.0 * fields.largest)
    return (first, max(first, math.log(100.0 * variables) / (2.0 * fields.bias)))


def _fields(model: QuadraticModel) -> _Fields:
    """Local fields and biases of the spin form of a model."""
    binary = model.variable_type == "BINARY"
    spins = [bias / 2.0 if binary else bias for bias in model.linear]
    couplings = [bias / 4.0 if binary else bias for bias in model.biases]
    local = [0.0] * len(spins)
    for head, tail, bias in zip(model.heads, model.tails, couplings, strict=True):
        local[head] += abs(bias)
        local[tail] += abs(bias)
        if binary:
            spins[head] += bias
            spins[tail] += bias
    sizes = [abs(bias) for bias in (*spins, *couplings) if bias]
    held = [around + abs(bias) for around, bias in zip(local, spins, strict=True)]
    largest = max(held)
    least = max(min(sizes, default=0.0), _LEAST_BIAS * largest)
    return _Fields(largest, statistics.median(held) or largest, least)


def _effort(work: api.AnnealRequest, model: QuadraticModel, schedule: Schedule) -> Effort:
    """Costs measured on one core of an x86-64 server, in units of an amplitude of a gate (about 1 ns)."""
    variables, interactions = len(model.linear), len(model.biases)
    match work.method:
        case "simulated":
            elements = work.sweeps * (27.0 * variables + 2.0 * interactions)
        case "path-integral":
            breaks = schedule.beta[1] * schedule.transverse_field
            elements = work.sweeps * (variables + 2.0 * interactions) * (40.0 + 22.0 * breaks)
        case "tabu":
            elements = work.sweeps * variables * 15.0 + 20.0 * variables**2
    elements += 150.0 * _terms(model)  # the energy of the state that is found
    dense = 48 * variables**2 if work.method == "tabu" else 0
    state = -(-variables // 8) + 20
    return Effort(
        shot_steps=1.0,
        elements=elements,
        memory_bytes=_ENGINE_BYTES + 400 * _terms(model) + dense,
        item_result_bytes=256 + work.keep * state,
        shot_result_bytes=14.0,
    )

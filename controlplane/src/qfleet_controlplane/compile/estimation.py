"""``amplitude.estimate``: a request → compiled problems and their cost."""

import math

from qfleet_controlplane.compile import preparation
from qfleet_controlplane.compile.compiled import PROGRAM_BYTES, CompiledJob, asked, check_number
from qfleet_controlplane.compile.effort import Effort
from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_wire import api, circuit_facts, codec
from qfleet_wire.limits import LIMITS
from qfleet_wire.workload import AmplitudeEstimate, AmplitudeItem
from qfleet_wire.workload.amplitude import applies

PROBLEMS = 200
"""Each program takes some 30 ms to compile."""
EPSILON = (1e-6, 0.25)
ALPHA = (1e-9, 0.5)
ROUND_SHOTS = 100_000
OUTCOMES = 1024
"""Most good outcomes of a problem."""
_ENGINE_BYTES = 50 * 1024 * 1024
_STATES = 6
_ROUND_PARTS = 2.0
"""A round's draws and interval, some 60 µs whatever the state."""
_SETUP_PASSES = 10.0
"""Copying the state, finding its good outcomes and their weight."""
_PASSES = 2.0
"""Passes over the state that a Grover operator makes, in those of a dense gate."""


def compile_estimation(request: api.JobRequest) -> CompiledJob:
    """Compile an ``amplitude.estimate`` job.

    Raises:
        RequestRefused: a field's value cannot be served.
        ProgramRefused: a program cannot run; with its place.
    """
    work = asked(request, api.AmplitudeRequest)
    check_number("work.epsilon", work.epsilon, *EPSILON)
    check_number("work.alpha", work.alpha, *ALPHA)
    check_number("work.round_shots", work.round_shots, 1, ROUND_SHOTS)
    if not 1 <= len(work.problems) <= PROBLEMS:
        raise RequestRefused("work.problems", f"are {len(work.problems)}", f"give 1 to {PROBLEMS}")
    items = tuple(_item(number, problem) for number, problem in enumerate(work.problems))
    qubits = max(item.program.qubits for item in items)
    base = AmplitudeEstimate(qubits, 0, items, work.epsilon, work.alpha, work.round_shots, work.confidence)
    problem = codec.encode(base)
    if len(problem) > PROGRAM_BYTES:
        hint = f"at most {PROGRAM_BYTES} are sent to a device; give fewer problems or shorter programs"
        raise RequestRefused("work.problems", f"compile to {len(problem)} bytes", hint)
    effort = _effort(work, items, qubits)
    return CompiledJob(
        request.kind,
        None,
        (),
        ((),) * len(items),
        0,
        None,
        effort.item_result_bytes,
        problem=problem,
        effort=effort,
        qubits=qubits,
    )


def _item(number: int, problem: api.AmplitudeProblem) -> AmplitudeItem:
    field = f"work.problems[{number}]"
    compiled = preparation.prepared(f"{field}.program", problem.program, problem.parameters)
    if compiled.qubits > LIMITS.qubits:
        message = f"has {compiled.qubits} qubits"
        raise RequestRefused(f"{field}.program", message, f"use at most {LIMITS.qubits}")
    named = problem.objective
    if not named or len(set(named)) != len(named) or any(not 0 <= each < compiled.qubits for each in named):
        hint = f"name qubits from 0 to {compiled.qubits - 1}, each once, at least one"
        raise RequestRefused(f"{field}.objective", f"is {list(named)}", hint)
    return AmplitudeItem(number, compiled, named, _good(f"{field}.good", problem))


def _good(field: str, problem: api.AmplitudeProblem) -> tuple[int, ...]:
    width = len(problem.objective)
    if problem.good is None:
        return ((1 << width) - 1,)
    if not problem.good:
        hint = f"name outcomes of {width} of 0 and 1, or leave it out for the one of all ones"
        raise RequestRefused(field, "is empty", hint)
    if len(problem.good) > OUTCOMES:
        raise RequestRefused(field, f"has {len(problem.good)} outcomes", f"give at most {OUTCOMES}")
    for number, outcome in enumerate(problem.good):
        if len(outcome) != width or set(outcome) - {"0", "1"}:
            hint = f"write {width} of 0 and 1, the first objective rightmost"
            raise RequestRefused(f"{field}[{number}]", f"is {outcome!r}", hint)
    return tuple(sorted({int(outcome, 2) for outcome in problem.good}))


def _effort(work: api.AmplitudeRequest, items: tuple[AmplitudeItem, ...], qubits: int) -> Effort:
    """Evolving the state once, then Q about π/8ε times; the rounds themselves."""
    size = 1 << qubits
    powers = math.floor(math.log2(math.pi / (4.0 * work.epsilon))) + 1
    iterations = math.pi / (8.0 * work.epsilon)
    applied = _PASSES * iterations if applies(qubits, work.epsilon) else 0.0
    gates = max(sum(1 for _ in circuit_facts.walk(item.program.body)) for item in items)
    # Every power takes some 200 shots until its interval allows for the next.
    rounds = powers * max(1.0, 200.0 / work.round_shots)
    return Effort(
        item_parts=gates + _ROUND_PARTS * rounds,
        item_passes=gates + _SETUP_PASSES + applied,
        elements=float(size),
        memory_bytes=_ENGINE_BYTES + _STATES * 16 * size,
        item_result_bytes=round(128 + 24 * (64 + powers * 4000.0 / work.round_shots)),
    )

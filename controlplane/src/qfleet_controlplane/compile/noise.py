"""The noise of a job: checked against its program, in the compiled form, with the ways to simulate it.

A job gives rules of its own, or names a firmware profile whose rules are looked up when it is submitted.
Either way they become part of its work, so that no answer depends on which device runs it, nor on what
becomes of the profile.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import msgspec

from qfleet_controlplane.compile import readout
from qfleet_controlplane.compile.compiled import RESULT_BYTES, CompiledJob
from qfleet_controlplane.compile.errors import RequestRefused, a_job
from qfleet_controlplane.compile.noise_effort import CompiledNoise, effort
from qfleet_controlplane.compile.noise_rules import Checker
from qfleet_wire import api, circuit, circuit_facts, noise
from qfleet_wire.limits import LIMITS
from qfleet_wire.workload import SHOTS_PER_BLOCK, Method

DENSITY_QUBITS: Final = 12
"""Widest program whose density matrix is made: 16 × 4^12 bytes are 256 MiB, and four of them are held."""
FINALS: Final = 62
"""Most measurements at the end of a noisy program: a shot's readings are one number on the device."""
CIRCUITS: Final = ("circuit.sample", "circuit.expect")


def resolved(request: api.JobRequest, models: Mapping[str, noise.Noise]) -> api.JobRequest:
    """Fill in the rules of the profile that a job names; ``models`` has the rules of each profile.

    Raises:
        RequestRefused: no such profile carries noise, or rules are given beside it.
    """
    asked = request.noise
    if asked is None or not asked.profile:
        return request
    if asked.gates or asked.qubits or asked.readout:
        hint = "leave out the rules, or the profile"
        raise RequestRefused("noise.profile", f"is {asked.profile!r}, and rules are given beside it", hint)
    model = models.get(asked.profile)
    if model is None:
        known = ", ".join(sorted(models)) or "none"
        hint = f"profiles that do: {known}"
        raise RequestRefused("noise.profile", f"is {asked.profile!r}, which carries no noise", hint)
    found = msgspec.structs.replace(asked, gates=model.gates, qubits=model.qubits, readout=model.readout)
    return msgspec.structs.replace(request, noise=found)


def applied(request: api.JobRequest, job: CompiledJob) -> CompiledJob:
    """Compile a request's noise for its compiled program.

    By the density matrix the values of observables are exact and ``shots`` are ignored; by trajectories
    they are averages over so many. With readout errors they are what is read (``readout``).

    Raises:
        RequestRefused: a rule makes no sense for this program, or no method is possible.
    """
    asked, program, facts = request.noise, job.program, job.facts
    if asked is None:
        return job
    if program is None or facts is None:
        hint = f"it is for {' and '.join(CIRCUITS)}"
        raise RequestRefused("noise", f"is given for {a_job(request.kind)}", hint)
    if program.qubits > LIMITS.qubits:
        hint = f"use at most {LIMITS.qubits} qubits"
        raise RequestRefused("noise", f"is given for a program of {program.qubits} qubits", hint)
    if not (asked.gates or asked.qubits or asked.readout):
        hint = "give gates, qubits, readout or a profile; leave noise out where nothing disturbs"
        raise RequestRefused("noise", "is empty", hint)
    where = f"noise.profile {asked.profile}:" if asked.profile else "noise"
    model = Checker(where, program.qubits, strict=not asked.profile).model(asked)
    methods = _methods(request, job)
    if request.kind == "circuit.expect":
        _check_shots(request.shots, job)
    else:
        _check_finals(program)
    return replace(
        job,
        shots=request.shots,
        observables=readout.as_read(job.observables, model),
        noise=CompiledNoise(model, effort(program, model, shots=request.shots, methods=methods)),
    )


def _methods(request: api.JobRequest, job: CompiledJob) -> tuple[Method, ...]:
    """Return the methods that are wanted and possible.

    Raises:
        RequestRefused: there is none; says why.
    """
    assert request.noise is not None, "only noisy jobs come here"
    wanted = request.noise.method
    reasons = {"density": _not_by_density(job), "trajectories": _not_by_trajectories(request)}
    if wanted != "auto" and reasons[wanted]:
        raise RequestRefused("noise.method", f"is {wanted!r}, but {reasons[wanted]}", "leave it out")
    if all(reasons.values()):
        hint = "give shots: values are then averages over so many trajectories"
        raise RequestRefused("shots", f"are 0, and {reasons['density']}", hint)
    methods: tuple[Method, ...] = ("density", "trajectories")
    return tuple(method for method in methods if not reasons[method] and wanted in ("auto", method))


def _not_by_density(job: CompiledJob) -> str:
    """Say why there is no density matrix; nothing where there is one."""
    assert job.program is not None, "only programs come here"
    assert job.facts is not None, "a program has facts"
    if job.facts.dynamic:
        return "the program measures or resets in mid-course"
    qubits = job.program.qubits
    if qubits > DENSITY_QUBITS:
        size = 16 * 4**qubits / 2**30
        return (
            f"the density matrix of {qubits} qubits has 16 × 4^{qubits} bytes, {size:,.0f} GiB; "
            f"{DENSITY_QUBITS} qubits are the most"
        )
    return ""


def _not_by_trajectories(request: api.JobRequest) -> str:
    return "" if request.shots else "shots are 0, and trajectories are averaged over shots"


def _check_shots(shots: int, job: CompiledJob) -> None:
    """Bound what averages over trajectories run and return."""
    points = len(job.points)
    if shots * points > LIMITS.shots:
        hint = f"a job has at most {LIMITS.shots} over all parameter points"
        raise RequestRefused("shots", f"makes {shots * points} shots in all", hint)
    size = points * (256 + max(1, -(-shots // SHOTS_PER_BLOCK)) * (24 + 18 * len(job.observables)))
    if size > RESULT_BYTES:
        hint = "ask for fewer shots, parameter points or observables"
        raise RequestRefused("shots", f"may return {size} bytes, over {RESULT_BYTES}", hint)


def _check_finals(program: circuit.Program) -> None:
    split = circuit_facts.split_static(program)
    finals = 0 if split is None else len(split.measured)
    while split is None and isinstance(program.body[-1 - finals], circuit.Measure):
        finals += 1
    if finals > FINALS:
        hint = "measure fewer qubits, or none of them twice"
        raise RequestRefused("noise", f"is given for a program that ends with {finals} measurements", hint)

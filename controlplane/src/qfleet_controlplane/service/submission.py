"""From a request to an event: compile, and draw the job's name and seed."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from qfleet_controlplane.compile import job as compile_job
from qfleet_controlplane.compile import noise as compile_noise
from qfleet_controlplane.compile import recent, reliance
from qfleet_controlplane.compile.noise_effort import NoiseEffort
from qfleet_controlplane.machine import events
from qfleet_controlplane.planning import specification
from qfleet_controlplane.planning.cuts import choice
from qfleet_controlplane.planning.regions import DeviceClass
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, codec, program_load
from qfleet_wire.names import JobId
from qfleet_wire.noise import Noise

_ID_BYTES = 8
_SECRET_BYTES = 32
_SEED_BYTES = 6
"""Seeds drawn here stay below 2^53, so that every JSON reader keeps them whole."""


class Known(NamedTuple):
    """What a request is compiled against: devices, which decide whether it is cut, and noise of profiles."""

    classes: Sequence[DeviceClass] = ()
    noise: Mapping[str, Noise] = MappingProxyType({})


NOTHING = Known()


def prepare(
    request: api.JobRequest,
    who: str,
    random: Callable[[int], bytes],
    *,
    job: JobId | None = None,
    known: Known = NOTHING,
) -> events.JobSubmitted:
    """Compile a request; what is wrong with it is raised as the compiler says it.

    The job's id is drawn unless it is given.
    """
    job = JobId(random(_ID_BYTES).hex()) if job is None else job
    drawn = int.from_bytes(random(_SEED_BYTES), "big")
    seed = drawn if request.seed is None else request.seed
    whole = specify(request, seed, known)
    return events.JobSubmitted(job, request, _relied_on(request, whole, random), who)


def _relied_on(
    request: api.JobRequest, whole: Specification, random: Callable[[int], bytes]
) -> Specification:
    """Add how far devices are relied on."""
    return msgspec.structs.replace(
        whole,
        agree=request.agree,
        copies=reliance.copies(request),
        probes=request.probes,
        secret=random(_SECRET_BYTES) if request.probes else b"",
    )


def specify(request: api.JobRequest, seed: int, known: Known = NOTHING) -> Specification:
    """Compile a request to the facts that planning and merging need."""
    compiled = compile_job.compile_job(compile_noise.resolved(request, known.noise))
    program, facts = compiled.program, compiled.facts
    if program is None or facts is None:
        return specification.of_work(request.kind, compiled, seed)
    disturbed, encoded = compiled.noise, codec.encode(program)
    specified = Specification(
        kind=request.kind,
        seed=seed,
        items=len(compiled.points),
        shots=compiled.shots,
        points=compiled.points,
        program=encoded,
        observables=compiled.observables,
        qubits=program.qubits,
        gates=facts.gates,
        bits=program.output_bits,
        registers=tuple(program.slots[index].type.width for index in program.outputs),
        dynamic=facts.dynamic,
        load=recent.load_of(program, encoded, compiled.shots),
        ending=program_load.values(
            {term.paulis for observable in compiled.observables for term in observable.terms}
        ),
        clifford=compiled.clifford,
        obstacle=compiled.obstacle,
        bitstrings=compiled.bitstrings,
        noise=None if disturbed is None else disturbed.model,
        noise_effort=NoiseEffort() if disturbed is None else disturbed.effort,
        gradient=compiled.gradient,
    )
    return choice.fitted(specified, program, known.classes)

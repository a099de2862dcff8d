"""What an honest engine would return, and what the fleet's devices say of themselves.

An answer depends on item, block and seed, and on nothing else: so a merged result can be compared
with the one that a single device would have given for the whole job.
"""

import hashlib
import math
from typing import Any

import msgspec

from qfleet_agent.machine.admit import Bounds
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, circuit, codec, payloads, workload

MIB = 1024 * 1024
KINDS = ("probe.echo", "circuit.sample", "circuit.expect")
PROGRAM = circuit.Program(
    qubits=1,
    slots=(circuit.Slot("c", circuit.ClassicalType("bit", 1), output=True),),
    parameters=(),
    body=(circuit.Measure(0, 0, 0),),
)
_PROGRAM = codec.encode(PROGRAM)
_WORK: Any = workload.Work
_OBSERVABLES = (workload.Observable("Z0", (workload.PauliTerm(1.0, (("Z", 0),)),)),)


def lie(work: bytes) -> bytes:
    """A valid result that is wrong; of an echo, which cannot be, the right one."""
    match codec.decode(work, _WORK):
        case workload.CircuitSample() as sample:
            return codec.encode(sampled(msgspec.structs.replace(sample, seed=sample.seed + 1)))
        case workload.CircuitExpect() as expect:
            return codec.encode(expected(msgspec.structs.replace(expect, seed=expect.seed + 1)))
        case _:
            return answer(work)


def answer(work: bytes) -> bytes:
    """The encoded result of an encoded work."""
    match codec.decode(work, _WORK):
        case workload.ProbeEcho(data=data):
            return codec.encode(workload.EchoResult(data))
        case workload.CircuitSample() as sample:
            return codec.encode(sampled(sample))
        case other:
            return codec.encode(expected(other))


def sampled(work: workload.CircuitSample) -> workload.SampleResult:
    """Counts by block, each drawn from the block's seed."""
    return workload.SampleResult(tuple(_counts(work.seed, item) for item in work.items))


def expected(work: workload.CircuitExpect) -> workload.ExpectResult:
    """Moments by block, each from the block's seed; exact ones from the item's."""
    return workload.ExpectResult(tuple(_moments(work.seed, item) for item in work.items))


def whole(job: Specification) -> workload.WorkResult | None:
    """What one device would return for all of a job; None for echoes."""
    if job.kind == "circuit.sample":
        items = tuple(workload.SampleItem(index, (), 0, job.shots) for index in range(job.items))
        return sampled(workload.CircuitSample(PROGRAM, job.seed, items))
    if job.kind == "circuit.expect":
        shots = job.shots if job.dynamic else 0
        points = tuple(workload.ExpectItem(index, (), 0, shots) for index in range(job.items))
        return expected(workload.CircuitExpect(PROGRAM, job.seed, (), points))
    return None


def specification(request: api.JobRequest, seed: int, *, dynamic: bool) -> Specification:
    """What the compiler would say of a request over ``PROGRAM``."""
    copies = max(1, request.of)
    if request.kind == "probe.echo":
        return Specification(
            kind=request.kind, seed=seed, items=request.items, agree=request.agree, copies=copies
        )
    return Specification(
        agree=request.agree,
        copies=copies,
        kind=request.kind,
        seed=seed,
        items=request.items,
        shots=request.shots,
        points=((),) * request.items,
        program=_PROGRAM,
        observables=_OBSERVABLES,
        qubits=1,
        gates=50,
        bits=1,
        registers=(1,),
        dynamic=dynamic,
    )


def announcement() -> payloads.Announcement:
    """What every device here says of itself."""
    return payloads.Announcement(
        agent_version="0",
        profile="generic",
        boot_id="b",
        machine="x86_64",
        cores=2,
        memory_bytes=256 * MIB,
        workers=2,
        task_memory_bytes=100 * MIB,
        max_qubits=10,
        engines=(payloads.Engine("fake", "1", KINDS),),
    )


def bounds() -> Bounds:
    """What every device here may do."""
    return Bounds(
        workers=2,
        task_memory_bytes=100 * MIB,
        max_qubits=10,
        max_shots=10_000_000,
        task_ms=900_000,
        disk_bytes=100 * MIB,
        disk_reserve_bytes=0,
        queue_tasks=6,
        queue_bytes=MIB,
        kinds=dict.fromkeys(KINDS, "fake"),
    )


def digest_of(body: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(body).digest()


def _counts(seed: int, item: workload.SampleItem) -> workload.SampleCounts:
    ones = 0
    for block, shots in _blocks(item.first_block, item.shots):
        ones += workload.block_seed(seed, item.index, block) % (shots + 1)
    pairs = [(b"\0", item.shots - ones), (b"\1", ones)]
    kept = [pair for pair in pairs if pair[1]]
    return workload.SampleCounts(
        item.index,
        item.first_block,
        item.shots,
        1,
        b"".join(outcome for outcome, _ in kept),
        tuple(count for _, count in kept),
    )


def _moments(seed: int, item: workload.ExpectItem) -> workload.ExpectValues:
    if item.shots == 0:
        value = workload.block_seed(seed, item.index, 0) / 2**63
        return workload.ExpectValues(item.index, (workload.Moments(0, 0, (value,)),))
    blocks = []
    for block, shots in _blocks(item.first_block, item.shots):
        total = shots * workload.block_seed(seed, item.index, block) / 2**63
        blocks.append(workload.Moments(block, shots, (total,), (float(shots),)))
    return workload.ExpectValues(item.index, tuple(blocks))


def _blocks(first: int, shots: int) -> list[tuple[int, int]]:
    size = workload.SHOTS_PER_BLOCK
    return [(first + n, min(size, shots - n * size)) for n in range(math.ceil(shots / size))]

"""A job's specification, and the work of one slice of it as devices read it.

The program is encoded once per job; every slice's work carries those bytes as they are, so that
making an assignment costs microseconds however large the program is.
"""

import math

import msgspec

from qfleet_controlplane.planning.plan import Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import codec, workload

ECHO = b"qfleet probe"
"""What every echo must return: a known answer."""


class _Sample(msgspec.Struct, frozen=True, tag="circuit.sample"):
    """``workload.CircuitSample`` with the program as encoded bytes."""

    program: msgspec.Raw
    seed: int
    items: tuple[workload.SampleItem, ...]


class _Expect(msgspec.Struct, frozen=True, tag="circuit.expect"):
    """``workload.CircuitExpect`` with the program as encoded bytes."""

    program: msgspec.Raw
    seed: int
    observables: tuple[workload.Observable, ...]
    items: tuple[workload.ExpectItem, ...]


_ECHO_WORK = msgspec.Raw(codec.encode(workload.ProbeEcho(data=ECHO)))


def encode(job: Specification, part: Slice) -> msgspec.Raw:
    """Encode the work of one slice: the bytes of a ``workload.Work``."""
    indices = range(part.first_item, part.first_item + part.items)
    if job.kind == "circuit.sample":
        samples = tuple(
            workload.SampleItem(index, job.points[index], part.first_block, part.shots) for index in indices
        )
        return msgspec.Raw(codec.encode(_Sample(msgspec.Raw(job.program), job.seed, samples)))
    if job.kind == "circuit.expect":
        points = tuple(
            workload.ExpectItem(index, job.points[index], part.first_block, part.shots) for index in indices
        )
        return msgspec.Raw(codec.encode(_Expect(msgspec.Raw(job.program), job.seed, job.observables, points)))
    return _ECHO_WORK


def result_bytes(job: Specification, part: Slice) -> int:
    """Room that the slice's result needs at most: the disk a device reserves for it."""
    if job.kind == "circuit.sample":
        distinct = min(part.shots, 1 << min(job.bits, 62))
        return part.items * (64 + distinct * (math.ceil(job.bits / 8) + 5)) + 1024
    if job.kind == "circuit.expect":
        blocks = max(1, math.ceil(part.shots / workload.SHOTS_PER_BLOCK))
        return part.items * (32 + blocks * (32 + 18 * len(job.observables))) + 1024
    return 1024

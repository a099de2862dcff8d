"""Specifications, devices and results that the core's tests are made of."""

import math
from collections.abc import Iterable
from typing import Any

import msgspec

from qfleet_wire import payloads, workload

MIB = 1024 * 1024
KINDS = ("probe.echo", "circuit.sample", "circuit.expect")


def announcement(**changes: Any) -> payloads.Announcement:
    """A board with two workers of 512 MiB."""
    usual = payloads.Announcement(
        agent_version="0",
        profile="generic",
        boot_id="b",
        machine="aarch64",
        cores=4,
        memory_bytes=2048 * MIB,
        workers=2,
        task_memory_bytes=512 * MIB,
        max_qubits=24,
        engines=(payloads.Engine("qulacs", "0.6", KINDS),),
    )
    return msgspec.structs.replace(usual, **changes)


def counted(index: int, first_block: int, counts: dict[int, int], bits: int) -> workload.SampleCounts:
    """Counts of one piece, as an engine encodes them."""
    width = math.ceil(bits / 8)
    ordered = sorted(counts.items())
    return workload.SampleCounts(
        index,
        first_block,
        sum(counts.values()),
        bits,
        b"".join(outcome.to_bytes(width, "little") for outcome, _ in ordered),
        tuple(count for _, count in ordered),
    )


def sample(*pieces: workload.SampleCounts) -> workload.SampleResult:
    """A task's result."""
    return workload.SampleResult(pieces)


def moments(index: int, blocks: Iterable[workload.Moments]) -> workload.ExpectResult:
    """A task's result of one item."""
    return workload.ExpectResult((workload.ExpectValues(index, tuple(blocks)),))

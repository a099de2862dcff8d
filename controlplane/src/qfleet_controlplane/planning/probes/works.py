"""Probes of other work than programs: requests, compiled as people's are."""

import msgspec

from qfleet_controlplane.compile.job import compile_job
from qfleet_controlplane.planning import specification
from qfleet_controlplane.planning.probes.states import Stream
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api


def of(request: api.JobRequest, secret: bytes) -> Specification:
    """The job of a probe, which is one task."""
    seed = Stream(secret + b"seed").integer(1 << 48)
    made = specification.of_work(request.kind, compile_job(request), seed)
    return msgspec.structs.replace(made, secret=secret, probe=True)


def between(stream: Stream, low: float, high: float) -> float:
    """Draw a number, as good as evenly."""
    return low + (high - low) * stream.integer(1 << 52) / (1 << 52)

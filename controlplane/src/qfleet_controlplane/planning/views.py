"""Merged results as the API shows them, in the bit order that Qiskit's users expect.

A key has the bits of each output register with the highest bit leftmost; registers are split by
a space, and the one declared last stands leftmost. In an outcome's integer the register declared
first has the lowest bits.
"""

from collections.abc import Sequence
from typing import NamedTuple

from qfleet_controlplane.planning import merge
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, workload


class Counted(NamedTuple):
    """A result that counts, and where it comes from."""

    result: workload.WorkResult
    device: str
    engine: str
    engine_version: str
    duration_ms: float


class Heading(NamedTuple):
    """What stands over every result view."""

    job: str
    status: api.JobStatus
    request: api.JobRequest


def result_view(heading: Heading, job: Specification, results: Sequence[Counted]) -> api.ResultView:
    """Merge the results of a job's tasks and show them; tasks without a result are left out."""
    sources = source_views(results)
    answers = [counted.result for counted in results]
    if job.kind == "circuit.sample":
        samples = merge.counts(entry for entry in answers if isinstance(entry, workload.SampleResult))
        return api.SampleResultView(
            job=heading.job,
            status=heading.status,
            seed=job.seed,
            items=tuple(_sample_view(heading, job, index, samples[index]) for index in sorted(samples)),
            sources=sources,
        )
    if job.kind == "circuit.expect":
        means = merge.values(entry for entry in answers if isinstance(entry, workload.ExpectResult))
        return api.ExpectResultView(
            job=heading.job,
            status=heading.status,
            seed=job.seed,
            items=tuple(_expect_view(heading, job, index, means[index]) for index in sorted(means)),
            sources=sources,
        )
    echoes = sum(1 for entry in answers if isinstance(entry, workload.EchoResult))
    return api.EchoResultView(job=heading.job, status=heading.status, items=echoes, sources=sources)


def source_views(results: Sequence[Counted]) -> tuple[api.SourceView, ...]:
    """Sum tasks and durations up per device and engine."""
    sums: dict[tuple[str, str, str], tuple[int, float]] = {}
    for counted in results:
        key = (counted.device, counted.engine, counted.engine_version)
        tasks, duration = sums.get(key, (0, 0.0))
        sums[key] = (tasks + 1, duration + counted.duration_ms)
    return tuple(api.SourceView(*key, *total) for key, total in sorted(sums.items()))


def key(outcome: int, registers: Sequence[int]) -> str:
    """Spell an outcome over registers of these widths, in order of declaration."""
    words: list[str] = []
    for width in registers:
        words.append(format(outcome & ((1 << width) - 1), f"0{width}b"))
        outcome >>= width
    return " ".join(reversed(words))


def _sample_view(
    heading: Heading, job: Specification, index: int, counts: merge.Counts
) -> api.SampleItemView:
    return api.SampleItemView(
        parameters=_parameters(heading, index),
        shots=counts.shots,
        counts={key(outcome, job.registers): count for outcome, count in counts.counts.items()},
    )


def _expect_view(
    heading: Heading, job: Specification, index: int, values: tuple[merge.Value, ...]
) -> api.ExpectItemView:
    return api.ExpectItemView(
        parameters=_parameters(heading, index),
        values=tuple(
            api.ValueView(observable.text, value.mean, value.standard_error, value.exact)
            for observable, value in zip(job.observables, values, strict=True)
        ),
    )


def _parameters(heading: Heading, index: int) -> dict[str, float]:
    points = heading.request.parameters
    return points[index] if points else {}

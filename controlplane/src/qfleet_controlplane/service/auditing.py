"""Whether a job's result follows from its parts: compiled, planned and merged again, and compared.

Pure: a question with the parts of a provenance bundle in, what is wrong out. Signatures are for
``qfleet_wire.channel.verification``; here everything is believed to be from whom it says.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from qfleet_controlplane.errors import InvalidRequest
from qfleet_controlplane.planning import kinds, views
from qfleet_controlplane.planning.plan import Plan
from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.service import submission
from qfleet_controlplane.store import records
from qfleet_wire import api, codec, payloads, workload
from qfleet_wire.channel import provenance
from qfleet_wire.channel.auditing import Answer, Question, Rerun
from qfleet_wire.channel.provenance import Evidence, Facts, Works
from qfleet_wire.errors import RemoteError

_BROKEN = (msgspec.MsgspecError, RemoteError, InvalidRequest, KeyError, IndexError, ValueError, TypeError)
"""What comes of parts that are not what they should be."""
_MEANT = (
    "kind", "seed", "items", "points", "program", "observables", "gates", "bits", "registers", "problem",
    "bitstrings",
)  # fmt: skip
"""What of a specification follows from the request alone: how it is computed depends on the fleet then."""


class _Job(NamedTuple):
    facts: Facts
    request: api.JobRequest
    whole: Specification
    planned: Plan


def audit(question: Question) -> Answer:
    """Say what does not follow from what."""
    found: list[tuple[str, str]] = []
    parts = question.parts
    try:
        job = _Job(
            codec.decode(parts["job"], Facts),
            records.request_of(parts["request"]),
            records.specification_of(parts["specification"]),
            records.plan_of(parts["plan"]),
        )
        evidence = [_evidence(part) for name, part in parts.items() if name.startswith("task ")]
    except _BROKEN as error:
        return Answer((("job", f"the job cannot be read: {type(error).__name__}: {error}"),))
    evidence.sort(key=lambda one: one.position)
    checks: Sequence[tuple[str, Callable[[], Iterator[tuple[str, str]]]]] = (
        ("specification", lambda: _specification(job)),
        ("works", lambda: _works(job, parts)),
        ("plan", lambda: _results(job, evidence)),
        ("result", lambda: _merged(job, evidence, parts)),
        ("task", lambda: _reruns(evidence, question.reruns)),
    )
    for part, check in checks:
        try:
            found.extend(check())
        except _BROKEN as error:
            found.append((part, f"it cannot be followed: {type(error).__name__}: {error}"))
    return Answer(tuple(found))


def _specification(job: _Job) -> Iterator[tuple[str, str]]:
    """The specification is what the request compiles to."""
    if job.whole.probe:
        return
    again = submission.specify(_without_profile(job.request), job.whole.seed)
    for name in _meant(job.request):
        if getattr(again, name) != getattr(job.whole, name):
            yield "specification", f"the request does not compile to it: {name} differs"
    if (job.facts.seed, job.facts.agree, job.facts.copies) != (
        job.whole.seed,
        job.whole.agree,
        job.whole.copies,
    ):
        yield "job", "it is not what the specification says"


def _without_profile(request: api.JobRequest) -> api.JobRequest:
    """Leave out the noise of a profile, which is not at hand; it changes no program."""
    if request.noise is None or not request.noise.profile:
        return request
    return msgspec.structs.replace(request, noise=None)


def _meant(request: api.JobRequest) -> tuple[str, ...]:
    """What can be checked. The method may leave a noisy job's shots out, and observables are what is read."""
    if request.noise is None:
        return (*_MEANT, "shots")
    if request.noise.profile:
        return tuple(name for name in _MEANT if name != "observables")
    return (*_MEANT, "noise")


def _works(job: _Job, parts: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """Each task's work is its slice of the specification."""
    told = provenance.put_together(codec.decode(parts["works"], Works, limit=provenance.MOST_BYTES))
    if told.keys() != set(range(len(job.planned.slices))):
        yield "works", f"{len(told)} works for {len(job.planned.slices)} tasks"
        return
    for place, part in enumerate(job.planned.slices):
        if bytes(kinds.encode(job.whole, part)) != told[place]:
            yield "works", f"the work of task {place} is not what the plan says"


def _results(job: _Job, evidence: Sequence[Evidence]) -> Iterator[tuple[str, str]]:
    """Each result answers its slice, and those that count agree with each other."""
    good = [one for one in evidence if one.status == "succeeded"]
    for one in good:
        fault = kinds.fault(job.whole, job.planned.slices[one.position], _answer(one))
        if fault is not None:
            yield f"task {one.position}", f"the result does not answer the task: {fault}"
    for _, group in itertools.groupby(good, lambda one: one.position // job.whole.copies):
        for one, other in itertools.combinations(group, 2):
            difference = kinds.contradiction(_answer(one), _answer(other), exact=False)
            if difference is not None:
                yield f"task {other.position}", f"it contradicts task {one.position}: {difference}"


def _merged(job: _Job, evidence: Sequence[Evidence], parts: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """The result is what the tasks' results add up to."""
    first: dict[int, Evidence] = {}
    for one in evidence:
        if one.status == "succeeded":
            first.setdefault(one.position // job.whole.copies, one)
    heading = views.Heading(job.facts.job, job.facts.status, job.request)  # type: ignore[arg-type]  # compared
    view = kinds.view(heading, job.whole, [_counted(one) for one in first.values()])
    told: Any = msgspec.json.decode(parts["result"])
    if msgspec.json.decode(msgspec.json.encode(view)) != told:
        yield "result", "it is not what the results of the tasks add up to"


def _reruns(evidence: Sequence[Evidence], reruns: Sequence[Rerun]) -> Iterator[tuple[str, str]]:
    """What was run again says the same."""
    known = {one.position: one for one in evidence}
    for again in reruns:
        one = known[again.position]
        difference = kinds.contradiction(_answer(one), records.work_result_of(again.body), exact=again.exact)
        if difference is not None:
            yield f"task {again.position}", f"run again it gives another result: {difference}"


def _evidence(part: bytes) -> Evidence:
    return codec.decode(part, Evidence, limit=provenance.MOST_BYTES)


def _answer(one: Evidence) -> workload.WorkResult:
    result = codec.decode(one.raw, payloads.TaskResult)
    return records.work_result_of(bytes(result.body) if one.body is None else one.body)


def _counted(one: Evidence) -> views.Counted:
    told = codec.decode(one.raw, payloads.TaskResult).provenance
    return views.Counted(
        _answer(one),
        one.device,
        told.engine if told else "?",
        told.engine_version if told else "?",
        told.duration_ms if told else 0.0,
    )

"""One job out of its regions' shares, for whoever asks for the job.

Every region's machine knows its own tasks only; here their views are added up. A job is unfinished
while any share is. Pure: views in, view out.
"""

from collections.abc import Iterable, Sequence

import msgspec

from qfleet_controlplane.machine import history, state
from qfleet_wire import api

_COUNTS = tuple(field.name for field in msgspec.structs.fields(api.TaskCounts))


def combine(shares: Sequence[api.JobView]) -> api.JobView:
    """Make one view of a job's shares, in the order of their regions; at least one.

    A share that tasks are on their way to must not say that it is finished.
    """
    first = shares[0]
    if len(shares) == 1:
        return first
    counts = api.TaskCounts(**{name: sum(getattr(each.tasks, name) for each in shares) for name in _COUNTS})
    status = _status(shares, counts)
    ends = [share.finished for share in shares if share.finished is not None]
    return api.JobView(
        id=first.id,
        name=first.name,
        kind=first.kind,
        status=status,
        created=min(share.created for share in shares),
        finished=max(ends) if ends and status in api.FINISHED else None,
        items=first.items,
        progress=_progress(shares),
        tasks=counts,
        devices=tuple(sorted({device for share in shares for device in share.devices})),
        plan=first.plan,
        errors=_errors(shares),
        placement=_distinct(sentence for share in shares for sentence in share.placement),
    )


def _total(counts: api.TaskCounts) -> int:
    return sum(getattr(counts, name) for name in _COUNTS)


def _status(shares: Sequence[api.JobView], counts: api.TaskCounts) -> api.JobStatus:
    """Unfinished while any share is, else what the tasks of all of them make of the job."""
    if any(share.status not in api.FINISHED for share in shares):
        begun = any(share.status != "planned" and _total(share.tasks) for share in shares)
        return "running" if begun else "planned"
    if counts.cancelled:
        return "cancelled"
    if counts.rejected or counts.dismissed:  # of copies: each share has judged its own
        ends = {share.status for share in shares if _total(share.tasks)}
        return ends.pop() if len(ends) == 1 else "partial"
    if counts.succeeded == _total(counts):
        return "succeeded"
    return "partial" if counts.succeeded else "failed"


def _progress(shares: Sequence[api.JobView]) -> float:
    """Share that is done, by tasks: those of a job are nearly of one size."""
    tasks = sum(_total(share.tasks) for share in shares)
    done = sum(share.progress * _total(share.tasks) for share in shares)
    return min(1.0, done / tasks) if tasks else 1.0


def _errors(shares: Iterable[api.JobView]) -> tuple[str, ...]:
    errors: tuple[str, ...] = ()
    for share in shares:
        for error in share.errors:
            errors = history.add(errors, error)
    return errors


def _distinct(sentences: Iterable[str]) -> tuple[str, ...]:
    """Without repetition; what makes a share wait stands last."""
    kept = dict.fromkeys(sentences)
    waits = [sentence for sentence in kept if sentence.startswith(state.WAITS)]
    return (*(sentence for sentence in kept if not sentence.startswith(state.WAITS)), *waits)

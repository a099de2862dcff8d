"""Jobs of any number of regions, read from the store and shown: run in a reader's thread."""

import itertools
from collections.abc import Iterable

import sqlalchemy as sa

from qfleet_controlplane.planning import kinds, views
from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.service import portraits
from qfleet_controlplane.service.combine import combine
from qfleet_controlplane.store import queries, records
from qfleet_wire import api
from qfleet_wire.names import JobId


def view(connection: sa.Connection, job: JobId) -> api.JobView | None:
    """A job over all its regions; None for an unknown one."""
    shares = queries.job_views(connection, job)
    return combine(shares) if shares else None


def listed(connection: sa.Connection, limit: int, status: str | None) -> list[api.JobView]:
    """List jobs over all their regions, the newest first; those with this status, if one is given."""
    found = (combine(shares) for _, shares in queries.newest(connection, status))
    wanted = (job for job in found if status is None or job.status == status)
    return list(itertools.islice(wanted, limit))


def detail(connection: sa.Connection, job: JobId) -> api.JobDetail | None:
    """A job with its tasks in all regions; None for an unknown one."""
    found = view(connection, job)
    if found is None:
        return None
    rows = queries.task_rows(connection, job)
    return api.JobDetail(found, portraits.task_views(rows, queries.plan_items(connection, job)))


def result(connection: sa.Connection, job: JobId) -> api.ResultView | None:
    """The merged result of a job; None for an unknown one."""
    stored = queries.stored_job(connection, job)
    if stored is None:
        return None
    heading = views.Heading(job, combine(stored.views).status, stored.request)
    found = queries.results(connection, job, stored.specification.copies)
    return merged(heading, stored.specification, found)


def merged(
    heading: views.Heading, specification: Specification, found: Iterable[queries.StoredResult]
) -> api.ResultView:
    """Merge the results of a job that count, given in the order of its tasks."""
    return kinds.view(heading, specification, [_counted(result) for result in found])


def _counted(found: queries.StoredResult) -> views.Counted:
    told = found.provenance
    return views.Counted(
        records.work_result_of(found.body),
        found.device,
        told.engine if told else "?",
        told.engine_version if told else "?",
        told.duration_ms if told else 0.0,
    )

"""Finished jobs, read from the store and shown: run in a reader's thread."""

import sqlalchemy as sa

from qfleet_controlplane.planning import views
from qfleet_controlplane.service import portraits
from qfleet_controlplane.store import queries, records
from qfleet_wire import api
from qfleet_wire.names import JobId


def detail(connection: sa.Connection, job: JobId) -> api.JobDetail | None:
    """A job with its tasks; None for an unknown one."""
    view = queries.job_view(connection, job)
    if view is None:
        return None
    rows = queries.task_rows(connection, job)
    return api.JobDetail(view, portraits.task_views(rows, queries.plan_items(connection, job)))


def result(connection: sa.Connection, job: JobId) -> api.ResultView | None:
    """The merged result of a job; None for an unknown one."""
    stored = queries.stored_job(connection, job)
    if stored is None:
        return None
    counted = [_counted(found) for found in queries.results(connection, job)]
    heading = views.Heading(job, stored.view.status, stored.request)
    return views.result_view(heading, stored.specification, counted)


def _counted(found: queries.StoredResult) -> views.Counted:
    told = found.provenance
    return views.Counted(
        records.work_result_of(found.body),
        found.device,
        told.engine if told else "?",
        told.engine_version if told else "?",
        told.duration_ms if told else 0.0,
    )

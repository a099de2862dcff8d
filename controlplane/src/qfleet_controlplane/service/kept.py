"""The results of a small job, in memory since the commit that stored them: they are mostly asked for at once.

What is answered is made of the committed rows, by what merges them when they are read from the store. Of a
job of which anything could be missing here, nothing is answered: the store has it all.
"""

from dataclasses import dataclass, field

from qfleet_controlplane.machine import state
from qfleet_controlplane.planning import views
from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.service import readings
from qfleet_controlplane.store import queries
from qfleet_controlplane.store.bulk import Row
from qfleet_wire import api
from qfleet_wire.names import JobId

MOST_TASKS = 128
MOST_BYTES = 32 * 1024
"""Of results, and of the program. Merging so much takes the event loop about a millisecond, less than handing
over to a thread and the reads that it saves."""


def small(job: state.Job) -> bool:
    """Whether the results of a job may be kept: few, each the only one of its task, and no parts of a cut."""
    known = job.specification
    return (
        known.copies == 1
        and known.cut is None
        and not known.probes
        and len(job.plan.slices) <= MOST_TASKS
        and len(known.program) + len(known.problem) <= MOST_BYTES
    )


@dataclass(slots=True, eq=False)
class Kept:
    """Fed with every row of ``results`` that is committed of one job, from its first commit on."""

    job: JobId
    request: api.JobRequest
    specification: Specification
    _rows: dict[int, Row] = field(default_factory=dict)
    _bytes: int = 0

    def put(self, row: Row) -> bool:
        """Keep a row; False when the job is not small after all, and nothing of it may be answered here."""
        job, position, attempt, device, raw, artefact = row[:6]
        # A copy: what came is a view of its whole message, which is to be let go.
        self._rows[position] = (job, position, attempt, device, bytes(raw))
        self._bytes += memoryview(raw).nbytes
        return artefact is None and self._bytes <= MOST_BYTES

    def result(self, view: api.JobView) -> api.ResultView | None:
        """The job's result as it stands in ``view``; None when not every result that counts is here."""
        if len(self._rows) != view.tasks.succeeded:
            return None
        stored = (queries.whole_result(self._rows[position]) for position in sorted(self._rows))
        heading = views.Heading(self.job, view.status, self.request)
        return readings.merged(heading, self.specification, stored)

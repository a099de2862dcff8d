"""Everything that one transaction of the service stores."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from qfleet_controlplane.store import audit, bulk
from qfleet_controlplane.store.tables import fleet, work
from qfleet_wire.names import DeviceName

_JOBS = bulk.Insert(work.jobs)
_JOB_STATES = bulk.Insert(work.job_states, "replace")
_TASKS = bulk.Insert(work.tasks, "replace")
_RESULTS = bulk.Insert(work.results)
_BATCHES = bulk.Insert(work.result_batches, "keep")
_CHUNKS = bulk.Insert(work.chunks, "keep")
_DEVICES = bulk.Insert(fleet.devices, "replace")


@dataclass(slots=True)
class Commit:
    """Rows by table, as ``store.records`` makes them; the chunks to drop; audit entries."""

    jobs: Sequence[bulk.Row] = ()
    job_states: Sequence[bulk.Row] = ()
    tasks: Sequence[bulk.Row] = ()
    results: Sequence[bulk.Row] = ()
    batches: Sequence[bulk.Row] = ()
    chunks: Sequence[bulk.Row] = ()
    devices: Sequence[bulk.Row] = ()
    dropped: Sequence[tuple[DeviceName, bytes]] = ()
    entries: Sequence[audit.Entry] = ()

    def write(self, connection: sa.Connection) -> None:
        """Store all of it in the connection's transaction."""
        _DEVICES.write(connection, self.devices)
        _JOBS.write(connection, self.jobs)
        _JOB_STATES.write(connection, self.job_states)
        _TASKS.write(connection, self.tasks)
        _RESULTS.write(connection, self.results)
        _BATCHES.write(connection, self.batches)
        _CHUNKS.write(connection, self.chunks)
        for device, digest in self.dropped:
            connection.execute(_drop(device, digest))
        if self.entries:
            audit.append(connection, self.entries)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to store."""
        return not (
            self.tasks
            or self.results
            or self.job_states
            or self.devices
            or self.chunks
            or self.dropped
            or self.entries
        )


def _drop(device: DeviceName, digest: bytes) -> sa.Delete:
    """Delete an artefact's chunks unless a counted result stands on them."""
    counted = sa.exists().where(work.results.c.artefact == digest, work.results.c.device == device)
    return work.chunks.delete().where(
        work.chunks.c.device == device, work.chunks.c.digest == digest, sa.not_(counted)
    )

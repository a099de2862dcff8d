"""Everything that one transaction of a region stores, behind the fence of its lease."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from qfleet_controlplane.store import audit, bulk, leases, orders
from qfleet_controlplane.store.tables import fleet, work
from qfleet_wire.names import DeviceName, JobId

_JOBS = bulk.Insert(work.jobs)
_SHARES = bulk.Insert(work.shares, "replace")
_OPENED = bulk.Insert(work.shares, "keep")
_TASKS = bulk.Insert(work.tasks, "replace")
_RESULTS = bulk.Insert(work.results)
_BATCHES = bulk.Insert(work.result_batches, "keep")
_CHUNKS = bulk.Insert(work.chunks, "keep")
_DEVICES = bulk.Insert(fleet.devices, "replace")
_TELEMETRY = bulk.Insert(fleet.telemetry, "keep")


@dataclass(slots=True)
class Commit:
    """Rows by table, as ``store.records`` makes them; the chunks to drop; orders; audit entries.

    ``tasks`` may name another region than the own one: those rows move there. ``opened`` are
    shares of other regions that are made only where there is none yet. Without a ``fence`` nobody
    else may be able to lead the region.
    """

    jobs: Sequence[bulk.Row] = ()
    shares: Sequence[bulk.Row] = ()
    opened: Sequence[bulk.Row] = ()
    tasks: Sequence[bulk.Row] = ()
    withdrawn: Sequence[tuple[JobId, int]] = ()
    """Job and position of stored results that go, before ``results`` come."""
    results: Sequence[bulk.Row] = ()
    batches: Sequence[bulk.Row] = ()
    chunks: Sequence[bulk.Row] = ()
    devices: Sequence[bulk.Row] = ()
    telemetry: Sequence[bulk.Row] = ()
    dropped: Sequence[tuple[DeviceName, bytes]] = ()
    entries: Sequence[audit.Entry] = ()
    ordered: Sequence[orders.Order] = ()
    done: Sequence[int] = ()
    """Orders whose effects these rows are."""
    fence: leases.Fence | None = None

    def write(self, connection: sa.Connection) -> None:
        """Store all of it in the connection's transaction.

        Raises:
            leases.LeaseLost: somebody else leads the region.
        """
        if self.fence is not None:
            leases.hold(connection, self.fence)
        _DEVICES.write(connection, self.devices)
        _JOBS.write(connection, self.jobs)
        _SHARES.write(connection, self.shares)
        _OPENED.write(connection, self.opened)
        _TASKS.write(connection, self.tasks)
        for job, position in self.withdrawn:
            connection.execute(_withdraw(job, position))
        _RESULTS.write(connection, self.results)
        _BATCHES.write(connection, self.batches)
        # After the results, which keep what they stand on; before the chunks, which came after the drop.
        for device, digest in self.dropped:
            connection.execute(_drop(device, digest))
        _CHUNKS.write(connection, self.chunks)
        _TELEMETRY.write(connection, self.telemetry)
        orders.put(connection, self.ordered)
        orders.done(connection, self.done)
        if self.entries:
            audit.append(connection, self.entries)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to store."""
        return not (
            self.tasks
            or self.withdrawn
            or self.results
            or self.shares
            or self.opened
            or self.devices
            or self.chunks
            or self.telemetry
            or self.dropped
            or self.entries
            or self.ordered
            or self.done
        )


def _withdraw(job: JobId, position: int) -> sa.Delete:
    return work.results.delete().where(work.results.c.job == job, work.results.c.position == position)


def _drop(device: DeviceName, digest: bytes) -> sa.Delete:
    """Delete an artefact's chunks unless a counted result stands on them."""
    counted = sa.exists().where(work.results.c.artefact == digest, work.results.c.device == device)
    return work.chunks.delete().where(
        work.chunks.c.device == device, work.chunks.c.digest == digest, sa.not_(counted)
    )

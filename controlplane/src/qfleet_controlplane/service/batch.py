"""The effects of a batch of events, gathered: what to store, then what to do.

Rows are taken when the batch is closed, as things stand then: what changed ten times is stored
once, and what is stored is exactly the state behind the last event of the batch.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from qfleet_controlplane.machine import effects, state
from qfleet_controlplane.service import ordering, portraits
from qfleet_controlplane.service.published import Published
from qfleet_controlplane.store import audit, bulk, leases, records
from qfleet_controlplane.store.commit import Commit
from qfleet_wire import api, codec, payloads
from qfleet_wire.names import DeviceName, JobId, Millis, RegionName, TaskId

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Batch:
    """Filled by ``add``, sealed by ``close``, shown by ``publish`` after its commit.

    ``region`` is the one whose machine decided; ``fence`` what the commit must still hold.
    """

    now: Millis
    region: str = ""
    fence: leases.Fence | None = None
    sends: dict[DeviceName, list[payloads.Down]] = field(default_factory=dict)
    assemble: list[effects.Assemble] = field(default_factory=list)
    compare: list[effects.Compare] = field(default_factory=list)
    alarms: list[effects.Alarm] = field(default_factory=list)
    _tasks: dict[TaskId, state.Task] = field(default_factory=dict)
    _devices: dict[DeviceName, state.Device] = field(default_factory=dict)
    _shown: dict[DeviceName, state.Device] = field(default_factory=dict)
    _jobs: dict[JobId, state.Job] = field(default_factory=dict)
    _created: list[state.Job] = field(default_factory=list)
    _moved: dict[tuple[JobId, str], tuple[state.Job, list[state.Task]]] = field(default_factory=dict)
    _done: list[int] = field(default_factory=list)
    weigh: list[effects.Weigh] = field(default_factory=list)
    _withdrawn: dict[TaskId, None] = field(default_factory=dict)
    _results: list[bulk.Row] = field(default_factory=list)
    _batches: dict[bytes, bulk.Row] = field(default_factory=dict)
    _chunks: dict[tuple[str, bytes, int], bulk.Row] = field(default_factory=dict)
    _telemetry: dict[tuple[str, int], bulk.Row] = field(default_factory=dict)
    _dropped: dict[tuple[DeviceName, bytes], None] = field(default_factory=dict)
    _audit: list[audit.Entry] = field(default_factory=list)
    _views: dict[JobId, api.JobView] = field(default_factory=dict)

    def add(self, wanted: list[effects.Effect]) -> None:
        """Take the effects of one event in."""
        for effect in wanted:
            _TAKE[type(effect)](self, effect)

    def show(self, job: state.Job) -> None:
        """Take a job in as if all of it had changed, to show what was loaded."""
        self._jobs[job.id] = job
        self._tasks.update((task.id, task) for task in job.tasks)

    def close(self) -> Commit:
        """Take the rows as things stand now."""
        self._views = {job.id: portraits.job_view(job) for job in self._jobs.values()}
        return Commit(
            jobs=[records.job_row(job) for job in self._created],
            shares=[records.share_row(job, self._views[job.id], self.region) for job in self._jobs.values()],
            opened=[self._opened(job, to) for (_, to), (job, _) in self._moved.items()],
            tasks=self._task_rows(),
            withdrawn=[records.split_task(task) for task in self._withdrawn],
            results=self._results,
            batches=list(self._batches.values()),
            chunks=list(self._chunks.values()),
            devices=[records.device_row(device, self.region) for device in self._devices.values()],
            telemetry=list(self._telemetry.values()),
            dropped=list(self._dropped),
            entries=self._audit,
            ordered=[ordering.adopt(RegionName(to), job, self.now) for job, to in self._moved],
            done=self._done,
            fence=self.fence,
        )

    def _task_rows(self) -> list[bulk.Row]:
        """Rows of the tasks that changed; those that leave stand under their new region."""
        leaving = {task.id: to for (_, to), (_, tasks) in self._moved.items() for task in tasks}
        if not leaving:
            return [records.task_row(task, self.region) for task in self._tasks.values()]
        changed = {task.id: task for _, tasks in self._moved.values() for task in tasks} | self._tasks
        return [records.task_row(task, leaving.get(task.id, self.region)) for task in changed.values()]

    def _opened(self, job: state.Job, to: str) -> bulk.Row:
        """The share of a region that tasks go to, as it stands until that region has taken them in."""
        share = replace(
            job,
            status="planned",
            finished=None,
            tasks=[],
            counts={},
            devices=set(),
            errors=[],
            waiting="",
            done_items=0.0,
            all_items=1,
        )
        return records.share_row(share, portraits.job_view(share), to)

    def publish(self, published: Published, commit: Commit) -> None:
        """Show what was committed; must run before the next event is handled."""
        for job in self._jobs.values():
            published.put_job(job, self._views[job.id])
        for job in self._created:
            published.keep_results(job)
        published.put_results(self._results, self._withdrawn)
        published.put_tasks(commit.tasks)
        for device in (self._shown | self._devices).values():
            published.put_device(device)
        published.wake(self._jobs)

    @property
    def finished_tasks(self) -> int:
        """Number of results that this batch counts."""
        return len(self._results)

    def _save_job(self, effect: effects.SaveJob) -> None:
        self._jobs[effect.job.id] = effect.job
        if effect.created:
            self._created.append(effect.job)

    def _save_task(self, effect: effects.SaveTask) -> None:
        self._tasks[effect.task.id] = effect.task

    def _save_device(self, effect: effects.SaveDevice) -> None:
        self._devices[effect.device.name] = effect.device

    def _show_device(self, effect: effects.ShowDevice) -> None:
        self._shown[effect.device.name] = effect.device

    def _move_tasks(self, effect: effects.MoveTasks) -> None:
        job = effect.job
        self._moved.setdefault((job.id, effect.to), (job, []))[1].extend(effect.tasks)

    def _order_done(self, effect: effects.OrderDone) -> None:
        self._done.append(effect.order)

    def _save_result(self, effect: effects.SaveResult) -> None:
        self._results.append(records.result_row(effect))

    def _drop_result(self, effect: effects.DropResult) -> None:
        """One that came in this batch is not stored at all; one that comes after it is."""
        place = records.split_task(effect.task)
        self._results = [row for row in self._results if row[:2] != place]
        self._withdrawn[effect.task] = None

    def _save_batch(self, effect: effects.SaveBatch) -> None:
        self._batches[effect.batch] = (
            effect.batch,
            effect.device,
            effect.signature,
            effect.digests,
            effect.received,
        )

    def _save_chunk(self, effect: effects.SaveChunk) -> None:
        chunk = effect.chunk
        key = (effect.device, chunk.digest, chunk.index)
        self._chunks[key] = (*key, chunk.count, chunk.data)

    def _save_telemetry(self, effect: effects.SaveTelemetry) -> None:
        for sample in effect.samples:
            body = codec.encode(payloads.Telemetry((sample,), effect.lost))
            key = (effect.device, sample.sequence)
            # A clock that runs ahead must not keep a sample longer than others.
            self._telemetry.setdefault(key, (*key, min(sample.at, self.now), body))

    def _drop_chunks(self, effect: effects.DropChunks) -> None:
        gone = effect.device, effect.digest
        self._dropped[gone] = None
        # Those that came before go with it; pieces that come after it are kept.
        self._chunks = {key: row for key, row in self._chunks.items() if key[:2] != gone}

    def _append_audit(self, effect: effects.Audit) -> None:
        self._audit.append(audit.Entry(self.now, effect.who, effect.action, effect.subject, effect.detail))

    def _alarm(self, effect: effects.Alarm) -> None:
        self.alarms.append(effect)
        self._audit.append(
            audit.Entry(self.now, "controlplane", f"alarm.{effect.kind}", effect.subject, effect.detail)
        )
        _log.warning(
            "Alarm about %s: %s.", effect.subject, effect.detail, extra={"action": f"alarm-{effect.kind}"}
        )

    def _send(self, effect: effects.Send) -> None:
        queue = self.sends.get(effect.device)
        if queue is None:
            queue = self.sends[effect.device] = []
        queue.append(effect.payload)

    def _notify(self, effect: effects.Notify) -> None:
        self._jobs[effect.job.id] = effect.job

    def _assemble(self, effect: effects.Assemble) -> None:
        self.assemble.append(effect)

    def _weigh(self, effect: effects.Weigh) -> None:
        self.weigh.append(effect)

    def _compare(self, effect: effects.Compare) -> None:
        self.compare.append(effect)


_TAKE: Mapping[type, Callable[[Batch, Any], None]] = {
    effects.SaveJob: Batch._save_job,  # noqa: SLF001 - a table of the class's own methods
    effects.SaveTask: Batch._save_task,  # noqa: SLF001
    effects.SaveDevice: Batch._save_device,  # noqa: SLF001
    effects.ShowDevice: Batch._show_device,  # noqa: SLF001
    effects.MoveTasks: Batch._move_tasks,  # noqa: SLF001
    effects.OrderDone: Batch._order_done,  # noqa: SLF001
    effects.SaveResult: Batch._save_result,  # noqa: SLF001
    effects.DropResult: Batch._drop_result,  # noqa: SLF001
    effects.SaveBatch: Batch._save_batch,  # noqa: SLF001
    effects.SaveChunk: Batch._save_chunk,  # noqa: SLF001
    effects.SaveTelemetry: Batch._save_telemetry,  # noqa: SLF001
    effects.DropChunks: Batch._drop_chunks,  # noqa: SLF001
    effects.Audit: Batch._append_audit,  # noqa: SLF001
    effects.Alarm: Batch._alarm,  # noqa: SLF001
    effects.Send: Batch._send,  # noqa: SLF001
    effects.Notify: Batch._notify,  # noqa: SLF001
    effects.Assemble: Batch._assemble,  # noqa: SLF001
    effects.Compare: Batch._compare,  # noqa: SLF001
    effects.Weigh: Batch._weigh,  # noqa: SLF001
}

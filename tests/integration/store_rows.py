"""Rows for every table, as the service and the authority write them."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from tests.unit.core_cases import announcement

from qfleet_controlplane.machine import state
from qfleet_controlplane.planning.plan import Plan, Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.service import portraits
from qfleet_controlplane.store import audit, leases, orders, records, registry
from qfleet_controlplane.store.commit import Commit
from qfleet_controlplane.store.tables import METADATA
from qfleet_wire import api
from qfleet_wire.names import ControllerName, DeviceName, JobId, Millis, RegionName, TaskId

NOW = Millis(1_700_000_000_000)
TASKS = 3
REGION = RegionName("north")


def job(name: str = "a1", region_tasks: range = range(TASKS), status: str = "running") -> state.Job:
    """A job, or a region's share of it, with the tasks at these positions."""
    request = api.JobRequest(kind="probe.echo", items=TASKS, name="échos")
    plan = Plan(tuple(Slice(n, 1, 0, 0) for n in range(TASKS)), ("one task per echo",), TASKS, 1)
    specification = Specification(kind="probe.echo", seed=2**52, items=TASKS)
    made = state.Job(JobId(name), request, specification, plan, NOW, status)
    made.tasks = [task(made, position) for position in region_tasks]
    made.counts = {"pending": len(made.tasks)}
    return made


def task(owner: state.Job, position: int) -> state.Task:
    """A pending task that has failed before."""
    made = state.Task(TaskId(f"{owner.id}-{position}"), owner, position)
    made.attempt, made.failures, made.errors, made.excluded = 2, 1, ("it's a pity; 100 %",), ("pi-9",)
    return made


def device(name: str) -> state.Device:
    """A device that has told about itself."""
    made = state.Device(DeviceName(name), "online", announcement(), last_seen=NOW)
    made.certificate_hash, made.certificate_expires = name.encode() * 4, Millis(NOW + 10**9)
    return made


def share_row(made: state.Job, region: str) -> tuple[Any, ...]:
    """Row of ``shares``."""
    return records.share_row(made, portraits.job_view(made), region)


def fill(connection: sa.Connection) -> None:
    """Put rows into every table of the present schema."""
    moved = job("b2", range(1))
    commit = Commit(
        jobs=[records.job_row(job()), records.job_row(moved)],
        shares=[share_row(job(), REGION), share_row(moved, REGION)],
        opened=[share_row(job("b2", range(0), "planned"), "south")],
        tasks=[
            *(records.task_row(each, REGION) for each in job().tasks),
            *(records.task_row(each, "south") for each in job("b2").tasks[1:]),
            records.task_row(moved.tasks[0], REGION),
        ],
        results=[("a1", 0, 2, "pi-1", b"\x81\xa1n\x01", b"d" * 32, b"flush", 0, NOW)],
        batches=[(b"flush", "pi-1", b"signature", b"d" * 32, NOW)],
        chunks=[("pi-1", b"d" * 32, 0, 1, b"\x00\xff" * 70_000)],
        devices=[records.device_row(device(name), REGION) for name in ("pi-1", "pi-2")],
        telemetry=[("pi-1", n, NOW + n, b"\x81\xa1t\x2a") for n in (1, 2)],
        entries=[audit.Entry(NOW, "ops", "job.submit", "a1", f"entry {n}") for n in range(3)],
        ordered=[orders.Order(RegionName("south"), NOW, "adopt", "b2")],
    )
    commit.write(connection)
    leases.acquire(connection, REGION, ControllerName("first"), 1)
    leases.attend(connection, ControllerName("first"), 1)
    registry.add_token(connection, registry.Token(b"h" * 32, "admin", "admin", NOW))
    registry.add_invitation(
        connection,
        registry.Invitation(b"t" * 16, DeviceName("pi-3"), b"sealed", NOW, Millis(NOW + 1), region=REGION),
    )
    registry.add_certificate(
        connection,
        registry.Certificate(b"c" * 32, "77", DeviceName("pi-1"), b"r" * 32, b"chain", NOW, NOW),
    )
    registry.put_session(connection, DeviceName("pi-1"), b"sealed", generation=3, now=NOW)
    registry.put_fact(connection, "fleet", b"test")


def dump(connection: sa.Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    return {table.name: sorted(_rows(connection, table), key=repr) for table in METADATA.sorted_tables}


def _rows(connection: sa.Connection, table: sa.Table) -> Iterator[tuple[Any, ...]]:
    for row in connection.execute(sa.select(table)):
        yield tuple(row)


def first_release_rows() -> dict[str, list[dict[str, Any]]]:
    """Rows by table of schema 0001: an unfinished job and a finished one, two devices, and the rest."""
    running, finished = job("a1"), job("b2", status="succeeded")
    finished.finished = NOW
    jobs = ("id", "created", "request", "specification", "plan")
    states = ("job", "status", "created", "finished", "view")
    tasks = ("job", "position", "status", "attempt", "device", "failures", "losses", "progress",
             "errors", "excluded", "digest")  # fmt: skip
    devices = ("name", "status", "reason", "trust", "last_seen", "certificate_hash", "certificate_expires",
               "announcement", "heartbeat")  # fmt: skip
    return {
        "jobs": [dict(zip(jobs, records.job_row(each), strict=True)) for each in (running, finished)],
        "job_states": [
            dict(zip(states, _without(share_row(each, ""), 1), strict=True)) for each in (running, finished)
        ],
        "tasks": [
            dict(zip(tasks, records.task_row(each, "")[:-1], strict=True))
            for owner in (running, finished)
            for each in owner.tasks
        ],
        "devices": [
            dict(zip(devices, records.device_row(device(name), "")[:-5], strict=True))
            for name in ("pi-1", "pi-2")
        ],
        "results": [
            {"job": "b2", "position": 0, "attempt": 1, "device": "pi-1", "raw": b"\x80", "artefact": None,
             "batch": b"f", "batch_position": 0, "received": NOW}
        ],
        "result_batches": [
            {"id": b"f", "device": "pi-1", "signature": b"s", "digests": b"d" * 32, "received": NOW}
        ],
        "chunks": [{"device": "pi-1", "digest": b"e" * 32, "position": 0, "count": 2, "data": bytes(256)}],
        "invitations": [
            {"token_id": b"t", "device": "pi-3", "secret": b"sealed", "created": NOW, "expires": NOW + 1,
             "used_csr_hash": None, "answer": None}
        ],
        "certificates": [
            {"hash": b"c", "serial": "77", "device": "pi-1", "csr_hash": b"r", "chain": b"x",
             "not_before": NOW, "not_after": NOW + 1, "status": "active"}
        ],
        "sessions": [
            {"device": "pi-1", "current": b"sealed", "previous": None, "generation": 2, "created": NOW}
        ],
        "api_tokens": [{"hash": b"h", "name": "admin", "role": "admin", "created": NOW, "revoked": None}],
        "meta": [{"key": "fleet", "value": b"test"}],
        "audit": [
            {"sequence": 1, "at": NOW, "who": "ops", "action": "a", "subject": "b", "detail": "c",
             "previous": bytes(32), "hash": b"\x01" * 32}
        ],
    }  # fmt: skip


def _without(row: tuple[Any, ...], place: int) -> tuple[Any, ...]:
    return (*row[:place], *row[place + 1 :])

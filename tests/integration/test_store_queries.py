"""Jobs over the shares of several regions, as they are listed and loaded, on both dialects."""

import functools
import itertools
import random

import msgspec
import pytest
import sqlalchemy as sa
from tests.integration import store_rows
from tests.integration.store_rows import NOW

from qfleet_controlplane.machine import state
from qfleet_controlplane.service import portraits, readings
from qfleet_controlplane.store import orders, queries, records
from qfleet_controlplane.store.commit import Commit
from qfleet_controlplane.store.database import Database
from qfleet_controlplane.store.tables import work
from qfleet_wire import api
from qfleet_wire.names import DeviceName, JobId, Millis, RegionName

NORTH, SOUTH = RegionName("north"), RegionName("south")
REGIONS = (NORTH, SOUTH, RegionName("west"))
JOBS = 260
"""More than are read at once."""


def share(name: str, region: str, tasks: tuple[str, ...], status: str, created: int) -> tuple[object, ...]:
    """Row of a share with as many tasks of each status, and the status that its machine gave it."""
    made = store_rows.job(name, range(0), status)
    made.created = Millis(created)
    made.counts = {each: tasks.count(each) for each in tasks}
    made.finished = Millis(created + 1) if status in api.FINISHED else None
    return records.share_row(made, portraits.job_view(made), region)


def drawn(rng: random.Random) -> tuple[tuple[str, ...], str]:
    """Tasks of a share and its status, as a machine settles it."""
    tasks = tuple(rng.choices(("succeeded", "failed"), k=rng.randint(0, 3)))
    if rng.random() < 0.2:
        return (*tasks, "pending"), rng.choice(("planned", "running"))
    if rng.random() < 0.2:
        return (*tasks, "cancelled"), "cancelled"
    if tasks.count("succeeded") == len(tasks):
        return tasks, "succeeded"
    return tasks, "partial" if "succeeded" in tasks else "failed"


def fill(database: Database, seed: int) -> list[str]:
    """Store jobs in one to three regions; some wait for tasks that are on their way. Newest first."""
    rng, commit = random.Random(seed), Commit(jobs=[], shares=[], ordered=[])
    names = []
    for number in range(JOBS):
        name, created = f"{rng.getrandbits(32):08x}", NOW + number // 3
        made = store_rows.job(name)
        made.created = Millis(created)
        names.append((created, name))
        commit.jobs = [*commit.jobs, records.job_row(made)]
        for region in rng.sample(REGIONS, rng.choice((1, 1, 2, 3))):
            commit.shares = [*commit.shares, share(name, region, *drawn(rng), created)]
            if rng.random() < 0.05:
                commit.ordered = [*commit.ordered, orders.Order(region, NOW, "adopt", name)]
    database.writer.transact(commit.write)
    return [name for _, name in sorted(names, reverse=True)]


@pytest.mark.parametrize("seed", range(2))
def test_jobs_are_listed_by_what_their_shares_make_of_them(database: Database, seed: int) -> None:
    names = fill(database, seed)
    every = database.read_now(lambda connection: [readings.view(connection, JobId(name)) for name in names])
    assert all(view is not None for view in every)
    known = {status: [view for view in every if view and view.status == status] for status in STATUSES}
    assert all(len(views) > 3 for views in known.values()), "every status occurs"
    for limit, status in itertools.product((1, 7, 1000), STATUSES):
        listed = database.read_now(functools.partial(readings.listed, limit=limit, status=status))
        assert listed == known[status][:limit]
    assert database.read_now(lambda connection: readings.listed(connection, 150, None)) == every[:150]


STATUSES = ("planned", "running", "succeeded", "partial", "failed", "cancelled")


def test_a_share_that_waits_for_tasks_is_not_over(database: Database) -> None:
    commit = Commit(
        jobs=[records.job_row(store_rows.job("a1"))],
        shares=[share("a1", NORTH, ("succeeded",), "succeeded", NOW)],
        opened=[share("a1", SOUTH, (), "succeeded", NOW)],
        ordered=[orders.Order(SOUTH, NOW, "adopt", "a1")],
    )
    database.writer.transact(commit.write)
    north, south = database.read_now(lambda connection: queries.job_views(connection, JobId("a1")))
    assert (north.status, south.status, south.finished) == ("succeeded", "running", None)
    (order,) = database.read_now(lambda connection: orders.pending(connection, SOUTH))
    database.writer.transact(Commit(done=[order.id]).write)
    _, south = database.read_now(lambda connection: queries.job_views(connection, JobId("a1")))
    assert south.status == "succeeded"


def test_an_opened_share_never_replaces_one(database: Database) -> None:
    job = records.job_row(store_rows.job("a1"))
    running = share("a1", SOUTH, ("succeeded", "pending"), "running", NOW)
    database.writer.transact(Commit(jobs=[job], shares=[running]).write)
    database.writer.transact(Commit(opened=[share("a1", SOUTH, (), "planned", NOW)]).write)
    (view,) = database.read_now(lambda connection: queries.job_views(connection, JobId("a1")))
    assert (view.status, view.tasks.succeeded) == ("running", 1)


def test_a_region_loads_its_own_tasks_only(database: Database) -> None:
    database.writer.transact(store_rows.fill)
    north = database.read_now(lambda connection: records.load(connection, NORTH))
    assert positions(north) == {"a1": [0, 1, 2], "b2": [0]}
    south = database.read_now(lambda connection: records.load(connection, SOUTH))
    assert positions(south) == {"b2": [1, 2]}
    assert (set(north.devices), set(south.devices)) == ({"pi-1", "pi-2"}, set())
    part = database.read_now(lambda connection: records.load_share(connection, JobId("b2"), SOUTH))
    nothing = database.read_now(lambda connection: records.load_share(connection, JobId("a1"), SOUTH))
    assert part is not None
    assert [task.position for task in part.tasks] == [1, 2]
    assert (part.tasks[0].errors, part.tasks[0].excluded) == (("it's a pity; 100 %",), ("pi-9",))
    assert nothing is None


def positions(known: state.State) -> dict[str, list[int]]:
    return {job.id: [task.position for task in job.tasks] for job in known.jobs.values()}


def test_tasks_that_move_belong_to_the_other_region(database: Database) -> None:
    database.writer.transact(store_rows.fill)
    moved = [records.task_row(task, SOUTH) for task in store_rows.job("a1").tasks[1:]]
    opened = share("a1", SOUTH, (), "planned", NOW)
    order = orders.Order(SOUTH, NOW, "adopt", "a1")
    commit = Commit(tasks=moved, opened=[opened], ordered=[order])
    database.writer.transact(commit.write)
    south = database.read_now(lambda connection: records.load(connection, SOUTH))
    assert positions(south)["a1"] == [1, 2]
    rows = database.read_now(lambda connection: queries.task_rows(connection, JobId("a1")))
    assert [(row[1], row[-1]) for row in rows] == [(0, NORTH), (1, SOUTH), (2, SOUTH)]


def test_what_is_unknown_is_not_there(database: Database) -> None:
    nobody = JobId("none")
    assert database.read_now(lambda connection: queries.job_views(connection, nobody)) == []
    assert database.read_now(lambda connection: queries.stored_job(connection, nobody)) is None
    assert database.read_now(lambda connection: queries.task_rows(connection, nobody)) == []
    assert database.read_now(lambda connection: readings.listed(connection, 5, "running")) == []


def test_telemetry_is_kept_once_and_goes_with_time(database: Database) -> None:
    rows = [("pi-1", number, NOW + number, msgspec.msgpack.encode(number)) for number in range(5)]
    for _ in range(2):
        database.writer.transact(Commit(telemetry=rows).write)
    for devices in (["pi-2"], ["pi-1", "pi-2"]):
        database.writer.transact(
            functools.partial(
                queries.drop_telemetry, devices=[*map(DeviceName, devices)], before=Millis(NOW + 2)
            )
        )
    with_count = sa.select(sa.func.count()).select_from(sa.table("telemetry"))
    assert database.read_now(lambda connection: connection.scalar(with_count)) == 3


def test_results_are_refused_twice(database: Database) -> None:
    database.writer.transact(store_rows.fill)
    with pytest.raises(Exception, match=r"UNIQUE|duplicate key"):
        database.writer.transact(Commit(results=[("a1", 0, 3, "pi-2", b"", None, b"f", 0, NOW)]).write)
    stored = sa.select(work.results.c.device)
    assert database.read_now(lambda connection: connection.scalars(stored).all()) == ["pi-1"]

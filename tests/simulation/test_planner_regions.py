"""Jobs over several regions: moved, cut off, crashed and healed, and every task counted once."""

import os

import pytest
import sqlalchemy as sa
from tests.simulation.planner_regions import POLICY, World, shuffled

from qfleet_controlplane.machine import events
from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.service import readings
from qfleet_controlplane.store.tables.control import orders
from qfleet_controlplane.store.tables.fleet import devices
from qfleet_controlplane.store.tables.work import tasks
from qfleet_wire import api
from qfleet_wire.names import JobId

JOB = JobId("0a")
SEEDS = int(os.environ.get("QFLEET_REGION_SEEDS", "12"))
"""Histories to run; set the variable for more."""


def submit(world: World, region: str, items: int, **options: object) -> None:
    request = api.JobRequest(kind="probe.echo", items=items, **options)  # type: ignore[arg-type]
    wanted = Specification(kind="probe.echo", seed=0, items=items)
    world.regions[region].handle(events.JobSubmitted(JOB, request, wanted, "someone"))


def places(world: World) -> dict[str, int]:
    with world.connection.begin():
        rows = world.connection.execute(sa.select(tasks.c.region)).all()
    return {name: sum(row.region == name for row in rows) for name in world.regions}


def test_a_dead_regions_tasks_are_finished_elsewhere_and_the_job_tells_it() -> None:
    world = World("a", "b")
    world.regions["a"].cut()
    submit(world, "a", 5)
    world.rebalance()
    world.pass_time(POLICY.stranded_ms)
    world.rebalance()
    assert places(world) == {"a": 0, "b": 5}
    view = world.view(JOB)
    assert (view.status, view.finished) == ("planned", None), (
        "nothing is finished while tasks are on their way"
    )
    world.deliver()
    assert world.view(JOB).status == "running"
    world.regions["b"].answer(5)
    view = world.view(JOB)
    assert (view.status, view.tasks.succeeded, view.progress, view.errors) == ("succeeded", 5, 1.0, ())
    sentence = "5 tasks moved from a to b: no device of a could run them for 2 s."
    assert view.placement == (sentence,)
    with world.connection.begin():
        assert world.connection.execute(sa.select(orders)).all() == []
        detail = readings.detail(world.connection, JOB)
        result = readings.result(world.connection, JOB)
        assert [found.status for found in readings.listed(world.connection, 10, "succeeded")] == ["succeeded"]
    assert detail is not None
    assert [task.device for task in detail.tasks] == ["b-0", "b-1", "b-0", "b-1", "b-0"]
    assert isinstance(result, api.EchoResultView)
    assert (result.items, result.status) == (5, "succeeded")
    world.close()


def test_a_cancelled_job_ends_in_all_its_regions() -> None:
    world = World("a", "b", devices=1)
    submit(world, "a", 3_000)
    world.rebalance()
    assert 0 < places(world)["b"] < 3_000
    world.deliver()
    for region in world.regions.values():
        region.handle(events.JobCancelled(JOB, "enough", "ops"))
    view = world.view(JOB)
    assert (view.status, view.tasks.cancelled) == ("cancelled", 3_000)
    assert view.errors == ("cancelled by ops: enough",)
    world.close()


def test_a_share_comes_back_to_a_region_that_had_ended() -> None:
    world = World("a", "b")
    world.regions["a"].cut()
    submit(world, "a", 4)
    world.rebalance()
    world.pass_time(POLICY.stranded_ms)
    world.rebalance()
    world.deliver()
    assert world.regions["a"].machine.state.jobs == {}
    world.regions["b"].answer(2)
    world.regions["b"].cut()
    for device in list(world.regions["b"].machine.state.devices):
        world.regions["b"].handle(events.Revoked(device, "gone", "ops"))
    world.regions["a"].return_()
    world.pass_time(POLICY.stay_ms)
    world.rebalance()
    world.pass_time(POLICY.stay_ms)
    world.rebalance()
    assert places(world) == {"a": 2, "b": 2}
    world.deliver()
    world.regions["a"].answer(2)
    view = world.view(JOB)
    assert (view.status, view.tasks.succeeded, len(view.placement)) == ("succeeded", 4, 2)
    world.close()


def test_a_task_whose_device_is_another_regions_now_waits_again() -> None:
    world = World("a", "b", devices=1)
    submit(world, "a", 1)
    with world.connection.begin():
        world.connection.execute(devices.update().where(devices.c.name == "a-0").values(region="b"))
    world.regions["a"].crash()
    (task,) = world.regions["a"].machine.state.tasks.values()
    assert (task.status, task.attempt) == ("pending", 1)
    world.close()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_happens_every_task_is_counted_once(seed: int) -> None:
    """Replay one by ``-k 'once[SEED]'``."""
    world, job = shuffled(seed, steps=40, items=40)
    view = world.view(job)
    assert (view.status, view.tasks.succeeded) == ("succeeded", 40)
    world.close()

"""What must be true once the link has healed: all is settled, both sides agree, the answers are right."""

from typing import TYPE_CHECKING

from tests.simulation.ring import answers, invariants

from qfleet_controlplane.machine import tables
from qfleet_controlplane.planning import merge
from qfleet_controlplane.service import combine
from qfleet_controlplane.store import queries, records
from qfleet_wire import api, workload
from qfleet_wire.names import JobId

if TYPE_CHECKING:
    from tests.simulation.ring.device import Device
    from tests.simulation.ring.region import Region
    from tests.simulation.ring.world import World


def reached(world: "World") -> bool:
    """Whether every job has ended and nothing waits anywhere."""
    if not all(_idle(region) for region in world.regions):
        return False
    if not all(row.over for row in world.ledger.rows.values()):
        return False
    return all(_drained(device) for device in _belonging(world)) and not world.site.select(
        "SELECT 1 FROM orders"
    )


def complain(world: "World") -> None:
    """Say what does not come to its end."""
    leaders = [region.controller for region in world.regions if region.controller is not None]
    machines = [leader.machine for leader in leaders]
    open_jobs = {
        job.id: [f"{task.id} {task.status} {task.attempt} of {task.device}" for task in job.tasks]
        for machine in machines
        if machine is not None
        for job in machine.state.jobs.values()
    }
    held = {
        device.name: (sorted(device.journal.tasks), sorted(device.journal.results), device.agent is not None)
        for device in _belonging(world)
    }
    orders = world.site.select("SELECT * FROM orders")
    world.trace.fail(
        "everything comes to its end",
        f"open {open_jobs}; journals {held}; fleet {world.ledger.devices}; orders {orders}",
    )


def check(world: "World") -> None:
    """The record is consistent, complete, loads as it is, and holds the right answers."""
    for region in world.regions:
        _check_region(world, region)
    alarms = [
        entry
        for entry in world.site.select("SELECT action, subject, detail FROM audit")
        if "alarm" in entry[0] and not _about_the_liar(world, entry)
    ]
    if alarms:
        world.trace.fail("honest devices raise no alarm", f"{alarms}")
    for job in sorted(world.ledger.accepted):
        _check_job(world, job)


def _about_the_liar(world: "World", entry: tuple[str, str, str]) -> bool:
    """Whether an alarm names the device that lies."""
    action, subject, detail = entry
    liar = world.names[0]
    disputes = action == "alarm.disagreement" and liar in detail
    return world.weather.liar and (disputes or (action == "alarm.quarantine" and subject == liar))


def _idle(region: "Region") -> bool:
    controller = region.controller
    if controller is None or not controller.settled or controller.machine is None:
        return False
    return not controller.machine.state.jobs


def _check_region(world: "World", region: "Region") -> None:
    """The record loads as the machine that leads has it in mind."""
    controller = region.controller
    assert controller is not None
    assert controller.machine is not None
    invariants.books_agree(world, controller.machine)
    loaded = records.load(world.site.connection, region.name)
    world.site.connection.rollback()
    statuses = {one.name: one.status for one in controller.machine.state.devices.values()}
    if loaded.jobs or {one.name: one.status for one in loaded.devices.values()} != statuses:
        loads = [
            (job.id, job.status, [(task.id, task.status) for task in job.tasks])
            for job in loaded.jobs.values()
        ]
        world.trace.fail("the store is the memory", f"{region.name} loads {loads} and {list(loaded.devices)}")


def _belonging(world: "World") -> "list[Device]":
    return [one for one in world.devices.values() if world.ledger.status_of(one.name) not in tables.SHUT_OUT]


def _drained(device: "Device") -> bool:
    agent = device.agent
    return agent is not None and agent.settled and not (device.journal.tasks or device.journal.results)


def _check_job(world: "World", job: JobId) -> None:
    connection = world.site.connection
    views = queries.job_views(connection, job)
    view = combine.combine(views) if views else None
    rows = {place: row for place, row in world.ledger.rows.items() if place[0] == job}
    merged = {place for place in world.ledger.merged if place[0] == job}
    if view is None or view.status not in tables.JOB_OVER:
        world.trace.fail("every job ends", f"{job}: {view}")
        return
    counts = {status: n for status, n in _counts(view).items() if n}
    found: dict[str, int] = {}
    for row in rows.values():
        found[row.status] = found.get(row.status, 0) + 1
    if counts != found:
        world.trace.fail("job counts sum up", f"{job}: the view has {counts}, the rows {found}")
    _check_status(world, job, view)
    copies = world.operator.specifications[job].copies
    if view.status == "succeeded" and (copies > 1 or len(merged) == len(rows)):
        _check_answer(world, job)
    connection.rollback()


def _counts(view: api.JobView) -> dict[str, int]:
    return {name: getattr(view.tasks, name) for name in view.tasks.__struct_fields__}


def _check_status(world: "World", job: JobId, view: api.JobView) -> None:
    """A job that nobody cancelled, that had time and no poison, has succeeded."""
    request = world.operator.requests[job]
    excused = (
        job in world.operator.cancelled
        or job in world.operator.poison
        or request.deadline_s is not None
        or world.weather.most_losses < 100
    )
    if not excused and view.status != "succeeded":
        world.trace.fail("a job succeeds unless something speaks against it", f"{job}: {view}")
    if view.status == "succeeded" and job in world.operator.poison:
        world.trace.fail("poison does not succeed", f"{job}: {view}")
    if view.status in {"partial", "failed"} and not view.errors:
        world.trace.fail("a failed job says why", f"{job}: {view}")


def _check_answer(world: "World", job: JobId) -> None:
    """The merged answer is what a single device would have returned for the whole job."""
    copies = world.operator.specifications[job].copies
    bodies = [records.work_result_of(one.body) for one in queries.results(world.site.connection, job, copies)]
    samples = [one for one in bodies if isinstance(one, workload.SampleResult)]
    values = [one for one in bodies if isinstance(one, workload.ExpectResult)]
    match answers.whole(world.operator.specifications[job]):
        case workload.SampleResult() as alone:
            right = merge.counts(samples) == merge.counts([alone])
        case workload.ExpectResult() as alone:
            right = merge.values(values) == merge.values([alone])
        case _:
            right = all(isinstance(one, workload.EchoResult) for one in bodies)
    if not right:
        world.trace.fail("the merged answer is right", f"{job}: {bodies}")

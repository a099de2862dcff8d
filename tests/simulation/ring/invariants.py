"""What must hold after every step, one function for each; their names and messages go into reports.

A message names the objects; seed, step and the last happenings are added by the trace.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tests.simulation.ring.steering import SOON_MS

from qfleet_agent.machine import effects as agent_effects
from qfleet_agent.machine import events as agent_events
from qfleet_agent.machine.events import Key
from qfleet_controlplane.machine import tables
from qfleet_controlplane.machine.machine import Machine
from qfleet_controlplane.store import records
from qfleet_wire import codec, payloads
from qfleet_wire.names import DeviceName, JobId

if TYPE_CHECKING:
    from tests.simulation.ring.agent import Agent
    from tests.simulation.ring.controller import Controller
    from tests.simulation.ring.device import Device
    from tests.simulation.ring.ledger import Merged, Place, Row
    from tests.simulation.ring.world import World


# ── a device, after each of its steps ───────────────────────────────────────────────────────


def check_device(world: "World", device: "Device") -> None:
    """All that holds of a device at any time."""
    no_accepted_task_vanishes(world, device)
    every_lease_is_known(world, device)
    epoch_is_not_ahead(world, device)
    if device.agent is not None:
        connected_over_a_way_that_is_there(world, device.agent)
        works_only_on_what_is_journalled(world, device.agent)
        if device.agent.settled:
            memory_is_journal(world, device.agent)


def no_accepted_task_vanishes(world: "World", device: "Device") -> None:
    """What was accepted is on the disk, as a task or as a result, until its result is acknowledged."""
    journal = device.journal
    for key in world.ledger.promised[device.name]:
        kept = key in journal.tasks or key in journal.results or key in world.ledger.acknowledged[device.name]
        if not kept:
            world.trace.fail("no accepted task vanishes", f"{device.name} accepted {key}, and it is gone")


def connected_over_a_way_that_is_there(world: "World", agent: "Agent") -> None:
    """A way that is gone, or whose window has closed, is left at once."""
    steering = agent.uplink.steering
    if steering is None or not agent.uplink.connected:
        return
    way = steering.way
    if way is None or not (steering.there(way) or steering.there(way, late_ms=SOON_MS)):
        world.trace.fail("connected over a way that is there", f"{agent.name} is connected over {way}")
    elif not (steering.planned(way) or steering.planned(way, late_ms=SOON_MS)):
        text = f"{agent.name} is connected over {way.name} outside of {steering.contacts}"
        world.trace.fail("connected in planned windows only", text)


def every_lease_is_known(world: "World", device: "Device") -> None:
    """No device works under a lease that the record does not know as valid or as ended."""
    ledger = world.ledger
    for key in device.journal.tasks:
        row = ledger.row_of(key)
        if row is None or ledger.leases.get(key) != device.name:
            world.trace.fail(
                "every lease is known", f"{device.name} holds {key}, leased to {ledger.leases.get(key)}"
            )
            continue
        valid = row.held and (row.attempt, row.device) == (key[1], device.name)
        if not valid and key not in ledger.given_up:
            world.trace.fail(
                "every lease is known", f"{device.name} holds {key}; the record has {row} and never ended it"
            )


def epoch_is_not_ahead(world: "World", device: "Device") -> None:
    """A device has seen no epoch that no controller had."""
    if device.journal.epoch > device.region.epoch:
        world.trace.fail(
            "the epoch is not ahead",
            f"{device.name} has seen {device.journal.epoch} of {device.region.epoch}",
        )


def works_only_on_what_is_journalled(world: "World", agent: "Agent") -> None:
    """A worker has nothing that a power cut would make the device forget."""
    journal = agent.device.journal
    for key in agent.running:
        acknowledged = key in world.ledger.acknowledged[agent.name]  # and is about to be stopped
        if key not in journal.tasks and key not in journal.results and not acknowledged:
            world.trace.fail("works only on what is journalled", f"{agent.name} runs {key}")


def memory_is_journal(world: "World", agent: "Agent") -> None:
    """Once all it was told is durable, the machine has in mind what the journal has."""
    told, journal = agent.machine.inventory(), agent.device.journal
    if set(told.unfinished) != set(journal.tasks) or set(told.finished) != set(journal.results):
        world.trace.fail(
            "memory is the journal",
            f"{agent.name}: {told}, journal {sorted(journal.tasks)} and {sorted(journal.results)}",
        )
    steering = agent.uplink.steering
    if steering is not None and steering.contacts != journal.contacts:
        world.trace.fail("memory is the journal", f"{agent.name}: {steering.contacts}, {journal.contacts}")


def accepts_only_what_is_journalled(world: "World", device: "Device", key: Key) -> None:
    """An acceptance is on its way only when the task is on the disk."""
    journal = device.journal
    known = key in journal.tasks or key in journal.results or key in world.ledger.acknowledged[device.name]
    if not known:
        world.trace.fail("accepts only what is journalled", f"{device.name} says that it has accepted {key}")


def sends_only_results_that_are_kept(world: "World", device: "Device", key: Key) -> None:
    """A result is on its way only when it is in the outbox on the disk."""
    if key not in device.journal.results and key not in world.ledger.acknowledged[device.name]:
        world.trace.fail("sends only results that are kept", f"{device.name} sends the result of {key}")


def stale_epoch_does_nothing(
    world: "World", agent: "Agent", heard: agent_events.Heard, wanted: Sequence[agent_effects.Effect]
) -> None:
    """A controller that was taken over moves nothing on a device that has heard its successor."""
    if not all(isinstance(effect, agent_effects.Report) for effect in wanted):
        world.trace.fail("a stale epoch does nothing", f"{agent.name} acts on epoch {heard.epoch}: {wanted}")


# ── what a controller seals ─────────────────────────────────────────────────────────────────


def silent_only_when_missed(
    world: "World", controller: "Controller", before: Mapping[DeviceName, str], now: int
) -> None:
    """A device whose way passes by plan is not called silent before it should have been heard again."""
    assert controller.machine is not None
    for name, device in controller.machine.state.devices.items():
        way = None if device.announcement is None else device.announcement.way
        passes = way is not None and way.contact is not None and way.returns is not None
        if way is None or not passes or (before.get(name), device.status) != ("online", "silent"):
            continue
        if now - device.heard_at < way.rhythm_ms:
            world.trace.fail(
                "silent only when missed", f"{name} was heard {now - device.heard_at} ms ago, over {way}"
            )


def shut_out_gets_nothing(
    world: "World", controller: "Controller", device: DeviceName, items: Sequence[payloads.Down]
) -> None:
    """Nothing is sealed for a device after it was revoked.

    A quarantined or retired one may still get what had queued for it; it has no lease any more.
    """
    status = world.ledger.status_of(device)
    if status == "revoked":
        world.trace.fail(
            "a shut-out device gets nothing", f"{controller.name} tells {device} ({status}) {items}"
        )


def leases_only_what_is_stored(world: "World", device: DeviceName, key: Key) -> None:
    """An assignment is on its way only when the record says so, to this device and no other."""
    if world.ledger.leases.get(key) != device:
        world.trace.fail(
            "leases only what is stored", f"{device} is sent {key}, leased to {world.ledger.leases.get(key)}"
        )


def acknowledges_only_what_is_stored(world: "World", device: DeviceName, key: Key) -> None:
    """An acknowledgement is on its way only when the device's result is stored, or of no use any more."""
    ledger = world.ledger
    row, place = ledger.row_of(key), records.split_task(key[0])
    if place in ledger.merged:
        return
    if row is None:
        world.trace.fail("acknowledges only what is stored", f"{key} of {device} is of a task nobody knows")
    elif row.held and (row.attempt, row.device) == (key[1], device):
        world.trace.fail("acknowledges only what is stored", f"{key} of {device} is still leased: {row}")
    elif row.region != world.devices[device].region.name:
        return  # its task has moved to another region, which knows nothing of this device
    elif not row.over and succeeded(world, device, key) and may_count(world, device, key):
        world.trace.fail(
            "acknowledges only what is stored", f"the success {key} of {device} is not stored: {row}"
        )


def succeeded(world: "World", device: DeviceName, key: Key) -> bool:
    """Whether a device's outbox holds a success of this attempt."""
    raw = world.devices[device].journal.results.get(key)
    return raw is not None and codec.decode(raw, payloads.TaskResult).outcome == "succeeded"


def may_count(world: "World", device: DeviceName, key: Key) -> bool:
    """Whether any attempt's success counts by the job's policy, and this device has no other copy."""
    job, position = records.split_task(key[0])
    request = world.operator.requests.get(job)
    if request is None or not request.first_valid_wins:
        return False
    return all(
        row.device != device
        for place, row in copies_of(world, (job, position)).items()
        if place[1] != position and (row.held or row.status in tables.TASK_STORED | {"failed"})
    )


def copies_of(world: "World", place: "Place") -> "dict[Place, Row]":
    """The committed rows of a task and of the other copies of its slice."""
    copies = world.operator.specifications[JobId(place[0])].copies
    first = place[1] - place[1] % copies
    found = ((place[0], position) for position in range(first, first + copies))
    return {each: world.ledger.rows[each] for each in found if each in world.ledger.rows}


# ── the record, after each commit ───────────────────────────────────────────────────────────


def no_task_vanishes(world: "World", found: Mapping["Place", "Row"]) -> None:
    """Tasks of a job that was taken in stay in the record."""
    gone = world.ledger.rows.keys() - found.keys()
    if gone:
        world.trace.fail("no task vanishes", f"the record has lost {sorted(gone)}")
    jobs = {job for job, _ in found}
    if not world.ledger.accepted <= jobs:
        world.trace.fail("no accepted job vanishes", f"{sorted(world.ledger.accepted - jobs)}")


def every_open_task_has_a_keeper(world: "World") -> None:
    """A task that is not over is in the mind of its region's leader, or an order says that it should be."""
    if len(world.regions) == 1:
        return
    ordered = {(region, job) for region, job in world.site.select("SELECT region, subject FROM orders")}
    for region in world.regions:
        leader = region.controller
        if leader is None or leader.machine is None or leader.mid_round:
            continue
        for (job, position), row in world.ledger.rows.items():
            kept = row.over or row.region != region.name or f"{job}-{position}" in leader.machine.state.tasks
            if not kept and (region.name, job) not in ordered:
                world.trace.fail("every open task has a keeper", f"{job}-{position}: {row}")


def steps_forward_only(world: "World", place: "Place", before: "Row | None", row: "Row") -> None:
    """What is over stays over, and attempts only rise."""
    if before is None:
        return
    if before.over and row != before:
        world.trace.fail("what is over stays over", f"{place} was {before} and is {row}")
    if row.attempt < before.attempt and row.status not in tables.TASK_STORED:
        world.trace.fail("attempts only rise", f"{place} was {before} and is {row}")


def one_device_per_lease(world: "World", key: Key, device: str) -> None:
    """An attempt belongs to one device for ever."""
    first = world.ledger.leases.get(key, device)
    if first != device:
        world.trace.fail("one device per lease", f"{key} was leased to {first} and now to {device}")


def shut_out_holds_nothing(world: "World") -> None:
    """A device that is shut out has no lease, but for one that nobody else may have when it is released."""
    for place, row in world.ledger.rows.items():
        if not row.held or row.device is None:
            continue
        status = world.ledger.status_of(DeviceName(row.device))
        waits = status == "quarantined" and row.status == "unknown" and not _replaced(world, place[0])
        if status in tables.SHUT_OUT and not waits:
            world.trace.fail("a shut-out device holds nothing", f"{place} is {row}, the device {status}")


def _replaced(world: "World", job: str) -> bool:
    """Whether a job's tasks may go to another device when theirs is quarantined."""
    return world.operator.requests[JobId(job)].replace


def merged_once_and_for_all(world: "World", found: Mapping["Place", "Merged"]) -> None:
    """A result that counts stays as it is, and every succeeded task has exactly one."""
    for place, merged in world.ledger.merged.items():
        dropped = world.ledger.status_of(DeviceName(merged.device)) in tables.SHUT_OUT
        if found.get(place) != merged and not (
            dropped and world.ledger.rows[place].status not in tables.TASK_STORED
        ):
            world.trace.fail(
                "a merged result never changes", f"{place} was {merged} and is {found.get(place)}"
            )
    for place, row in world.ledger.rows.items():
        cut_short = row.status in {"cancelled", "expired"}
        if (row.status in tables.TASK_STORED) != (place in found) and not cut_short:
            world.trace.fail("a success is a result", f"{place} is {row}, its result {found.get(place)}")


def copies_are_apart(world: "World") -> None:
    """No device has, or has answered, two copies of a task."""
    engaged: dict[tuple[str, int], set[str]] = {}
    for (job, position), row in world.ledger.rows.items():
        copies = world.operator.specifications[JobId(job)].copies
        if copies == 1 or row.device is None or not (row.held or row.status in tables.TASK_STORED):
            continue
        devices = engaged.setdefault((job, position // copies), set())
        if row.device in devices:
            world.trace.fail("copies are apart", f"{row.device} has two copies beside {job}-{position}")
        devices.add(row.device)


def counts_only_who_belongs(world: "World", place: "Place", merged: "Merged", *, shut: bool) -> None:
    """A result counts only from a device that is in, that had this lease, and for its own task.

    ``shut``: it was out before this commit, which may hold what it said and its end.
    """
    result = codec.decode(merged.raw, payloads.TaskResult)
    if shut:
        world.trace.fail("a shut-out device counts for nothing", f"{place}: {merged}")
    if (*records.split_task(result.task), result.attempt) != (*place, merged.attempt):
        world.trace.fail("a result counts for its own task", f"{place}: {result}")
    if world.ledger.leases.get((result.task, result.attempt)) != merged.device:
        world.trace.fail("a result counts by its own lease", f"{place}: {merged}")


def store_is_memory(world: "World", controller: "Controller", machine: Machine) -> None:
    """What the machine has in mind is what was committed."""
    kept = {(row[0], row[1]): tuple(row) for row in world.site.select("SELECT * FROM tasks")}
    for task in machine.state.tasks.values():
        row = records.task_row(task, controller.region.name)
        if kept.get((task.job.id, task.position)) != row:
            stored = kept.get((task.job.id, task.position))
            world.trace.fail("the store is the memory", f"{controller.name} has {row}, stored {stored}")
    for device in machine.state.devices.values():
        if world.ledger.status_of(device.name) != device.status:
            world.trace.fail(
                "the store is the memory", f"{device.name} is {device.status} to {controller.name}"
            )


def books_agree(world: "World", machine: Machine) -> None:
    """A machine's books agree with each other: jobs' counts sum up, devices hold what is held."""
    state = machine.state
    for job in state.jobs.values():
        counts: dict[str, int] = {}
        for task in job.tasks:
            counts[task.status] = counts.get(task.status, 0) + 1
            holder = state.devices.get(task.device) if task.device is not None else None
            held = holder is not None and task.id in holder.held
            if held != (task.status in tables.TASK_HELD):
                world.trace.fail("devices hold what is held", f"{task.id} is {task.status} of {task.device}")
        if {status: n for status, n in job.counts.items() if n} != counts or job.status in tables.JOB_OVER:
            world.trace.fail("job counts sum up", f"{job.id} ({job.status}): {job.counts}, tasks {counts}")
        pending = [task for task in job.tasks if task.status == "pending"]
        if len(job.pending) != len(pending) or any(task not in job.pending for task in pending):
            world.trace.fail("what is pending waits", f"{job.id}: {[task.id for task in pending]}")
        done = sum(task.progress * task.slice.items for task in job.tasks)
        if not math.isclose(job.done_items, done, abs_tol=1e-9):
            world.trace.fail("progress sums up", f"{job.id}: {job.done_items} is not {done}")
    for device in state.devices.values():
        unanswered = sum(not task.accepted for task in device.held.values())
        if device.unanswered != unanswered or device.backlog_ms < 0:
            world.trace.fail("unanswered leases sum up", f"{device.name}: {device.unanswered}, {unanswered}")

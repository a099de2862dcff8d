"""Probes: mixed into the work that asks for them, and judged when they are answered.

A probe is a job of its own with one task, so that no device can tell it from work by its place; nobody's
answer has any of it. Every region mixes its own into the tasks that it takes in.
"""

import hashlib

from qfleet_controlplane.machine import effects, state, trusting
from qfleet_controlplane.machine.turn import Turn
from qfleet_controlplane.planning import kinds, plan, probes
from qfleet_wire import workload
from qfleet_wire.names import JobId

_ID_BYTES = 8


def mix_in(turn: Turn, job: state.Job) -> None:
    """Add the probes that a job asks for, beside the tasks of it that are here."""
    whole = job.specification
    for number in range(probes.number_of(whole, len(job.tasks), len(job.plan.slices))):
        # The tasks' first and the time make it another secret each time that tasks of the job arrive.
        told = f"{turn.now} {job.tasks[0].id} {number}".encode()
        _add(turn, job, hashlib.sha256(whole.secret + told).digest())


def _add(turn: Turn, parent: state.Job, secret: bytes) -> None:
    probe = probes.make(parent.specification, secret)
    name = JobId(hashlib.sha256(secret + b"name").digest()[:_ID_BYTES].hex())
    planned = kinds.plan(probe, plan.Fleet(1, 1, kinds.rates(probe)))
    job = state.Job(name, probes.request(parent.request, probe, parent.id), probe, planned, turn.now)
    job.tasks = state.planned(job, range(len(planned.slices)))
    turn.state.add(job)
    turn.save_job(job, created=True)
    for task in job.tasks:
        turn.save_task(task)


def judge(turn: Turn, device: state.Device, task: state.Task, answer: workload.WorkResult) -> None:
    """Compare the answer to a probe with what is known, and note what that says of the device."""
    found = probes.fault(task.job.specification, answer)
    if found is None:
        trusting.right(turn, device.name)
        return
    detail = f"{device.name} answers a task wrongly whose answer is known: {found.text}"
    turn.effects.append(effects.Alarm(turn.cause, "probe", task.id, detail))
    trusting.wrong(turn, device.name, exact=found.exact)

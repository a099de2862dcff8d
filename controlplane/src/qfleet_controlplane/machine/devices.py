"""Devices: sessions, heartbeats, silence, and being taken out of service.

What a device says counts only while it is not shut out. A device that was silent keeps its tasks
until their jobs' patience ends; one that is shut out or enrolled anew loses them at once.
"""

from qfleet_controlplane.machine import attempts, contacts, copies, events, leases, state, tables, ways
from qfleet_controlplane.machine.effects import Alarm, Send
from qfleet_controlplane.machine.turn import Turn, way_of
from qfleet_controlplane.planning import needs
from qfleet_wire import payloads
from qfleet_wire.names import DeviceName, JobId, Millis


def find(turn: Turn, name: DeviceName) -> state.Device:
    """Return the device, known from now on."""
    device = turn.state.devices.get(name)
    if device is None:
        device = state.Device(name, "invited")
        turn.state.devices[name] = device
    return device


def invited(turn: Turn, event: events.Invited) -> None:
    """A join token exists for this name."""
    device = find(turn, event.device)
    _step(turn, device, "invite")
    turn.audit(event.who, "device.invite", device.name)


def enrolled(turn: Turn, event: events.Enrolled) -> None:
    """A certificate was granted: what an earlier holder of the name had in hand is given back."""
    device = find(turn, event.device)
    if not _step(turn, device, "enrol"):
        return
    _certificate(device, event.certificate_hash, event.certificate_expires)
    device.connected = False
    _lose_all(turn, device, "the device was enrolled anew")
    _readmit(turn, device)
    turn.audit("authority", "device.enrol", device.name, event.certificate_hash.hex())


def renewed(turn: Turn, event: events.CertificateRenewed) -> None:
    """A certificate was renewed."""
    device = find(turn, event.device)
    _certificate(device, event.certificate_hash, event.certificate_expires)
    turn.save_device(device)


def session_opened(turn: Turn, event: events.SessionOpened) -> None:
    """The device is there; its inventory will say what it holds."""
    device = find(turn, event.device)
    if not _step(turn, device, "session"):
        return
    device.inventory_due = True
    device.resend_ms = 0
    device.gathered.clear()  # its inventory will say what it still needs
    _heard(turn, device)
    _recover(turn, device)
    turn.save_device(device)
    contacts.tell(turn, device)
    leases.start_resending(turn, device)


def heard(turn: Turn, device: state.Device) -> None:
    """Note that something verified came; a silent device is back, and is asked what it holds.

    So is one that was released or enrolled anew while its session lives on.
    """
    if device.status in {"invited", "enrolled"}:
        session_opened(turn, events.SessionOpened(device.name))
        turn.send(device.name, payloads.Ask("inventory"))
    if tables.allowed(tables.DEVICE, device.status, "hear"):
        _step(turn, device, "hear")
        device.inventory_due = True
        _recover(turn, device)
        turn.send(device.name, payloads.Ask("inventory"))
    if not device.connected and device.status == "online":
        _heard(turn, device)
        leases.start_resending(turn, device)
        return
    device.last_seen = device.heard_at = turn.now


def heartbeat(turn: Turn, device: state.Device, beat: payloads.Heartbeat) -> None:
    """Keep how the device is; a journal that it had to set aside is an alarm, once."""
    known = None if device.heartbeat is None else device.heartbeat.journal_set_aside
    if beat.journal_set_aside not in {None, known}:
        detail = f"the device has set a damaged journal aside: {beat.journal_damage[:500]}"
        turn.effects.append(Alarm(turn.cause, "journal", device.name, detail))
        turn.save_device(device)
    device.heartbeat = beat
    turn.show_device(device)


def announcement(turn: Turn, device: state.Device, told: payloads.Announcement) -> None:
    """Keep what the device can do; what it refused or holds is judged anew when that has changed."""
    before = device.announcement
    if device.kind is not None:
        turn.state.pool.strike(device.name, device.kind)
    device.announcement, device.kind = told, None
    turn.state.offer(device)
    turn.save_device(device)
    if device.status == "online" and (None if before is None else before.way) != told.way:
        _look_again(turn, device, turn.now + _patience_ms(turn, device))
    if before is None or _abilities(before) == _abilities(told):
        return
    _readmit(turn, device)
    for task in [task for task in device.held.values() if task.status == "leased"]:
        needed = leases.requirement(task.job.specification, task.job.plan.memory_bytes)
        lack = needs.lacks(needed, told)
        if lack is not None:
            attempts.take_back(turn, task, f"it can no longer run it: {lack}")


def _abilities(told: payloads.Announcement) -> tuple[object, ...]:
    return (told.engines, told.max_qubits, told.task_memory_bytes, told.task_time_ms, told.workers)


def _readmit(turn: Turn, device: state.Device) -> None:
    """Let the device have again what it refused: it is not what it was."""
    for task in turn.state.readmit(device.name):
        turn.save_task(task)


def presence_lost(turn: Turn, event: events.PresenceLost) -> None:
    """Lease nothing more to the device until it is heard, and look soon whether it is silent."""
    device = turn.state.devices.get(event.device)
    if device is None or device.status != "online":
        return
    device.connected = False
    if ways.passes(device):
        return  # its window has closed
    device.hinted_at = turn.now
    _look_again(turn, device, turn.now + turn.policy.hint_ms)
    if way_of(device) is not None:
        # The connection that is gone may be an old one, and the device there over another way.
        turn.effects.append(Send(turn.cause, device.name, payloads.Ask("inventory")))


def look_for_silence(turn: Turn, key: str) -> None:
    """Declare a device silent that was not heard for too long; else look again when it may be."""
    device = turn.state.devices[DeviceName(key)]
    if device.status != "online" or turn.now < device.silence_at:
        return
    due = device.heard_at + _patience_ms(turn, device)
    if device.hinted_at is not None:
        due = min(due, device.hinted_at + turn.policy.hint_ms)
    if due > turn.now:
        _look_again(turn, device, due)
        return
    _step(turn, device, "silence")
    device.connected = False
    device.silent_since = turn.now
    await_return(turn, device)


def await_return(turn: Turn, device: state.Device) -> None:
    """Mark a silent device's tasks unknown and arm the ends of their jobs' patience."""
    patience: dict[JobId, int] = {}
    for task in device.held.values():
        if tables.allowed(tables.TASK, task.status, "silence"):
            state.move(task, "silence")
            turn.save_task(task)
        if task.job.request.replace:
            patience[task.job.id] = task.job.lost_after_ms
    for job, wait in patience.items():
        turn.state.timers.arm(turn.now + wait, "lost", f"{device.name} {job}")
    turn.state.timers.arm(turn.now + turn.policy.device_lost_ms, "device-lost", device.name)


def resume(turn: Turn, device: state.Device) -> None:
    """Start waiting for a device that was loaded from the store, from now on."""
    device.heard_at = turn.now
    if device.status == "online":
        _look_again(turn, device, turn.now + _patience_ms(turn, device))
    elif device.status in {"silent", "lost"}:
        device.silent_since = turn.now
        await_return(turn, device)


def give_up_tasks(turn: Turn, key: str) -> None:
    """Lease a job's tasks anew when their device has been silent for the job's patience."""
    name, job_id = key.split(" ")
    device, job = turn.state.devices[DeviceName(name)], turn.state.jobs.get(JobId(job_id))
    if (
        job is None
        or not job.request.replace
        or device.silent_since is None
        or device.status not in {"silent", "lost"}
    ):
        return
    if device.silent_since + job.lost_after_ms > turn.now:
        return
    for task in [task for task in device.held.values() if task.job is job]:
        attempts.lose(turn, task, "the device fell silent")


def give_up_device(turn: Turn, key: str) -> None:
    """Call a device lost that has been silent for very long."""
    device = turn.state.devices[DeviceName(key)]
    since = device.silent_since
    if device.status == "silent" and since is not None and since + turn.policy.device_lost_ms <= turn.now:
        _step(turn, device, "lose")


def shut_out(turn: Turn, event: events.Revoked | events.Quarantined | events.Retired, action: str) -> None:
    """Take a device out of service; its tasks go to others at once.

    A task that may not be replaced waits for a quarantined device, which may be released; not for one that
    was found to lie: nobody would count what it gives.
    """
    device = find(turn, event.device)
    if not _step(turn, device, action):
        return
    device.reason = event.reason
    device.connected = False
    for task in list(device.held.values()):
        waits = action == "quarantine" and not device.record.accused and not task.job.request.replace
        if waits:
            if tables.allowed(tables.TASK, task.status, "silence"):
                state.move(task, "silence")
                turn.save_task(task)
        else:
            attempts.lose(turn, task, f"the device was {device.status}")
    turn.audit(event.who, f"device.{action}", device.name, event.reason)
    if action != "retire":
        copies.take_answers_back(turn, device.name)


def shut_out_accused(turn: Turn) -> None:
    """Quarantine the devices that were found to lie.

    One that somebody has quarantined already gives up what still waits for its release.
    """
    while turn.accused:
        name, reason = turn.accused.popitem()
        device = turn.state.devices[name]
        if device.status in tables.OUT_OF_SERVICE:
            continue
        turn.effects.append(Alarm(turn.cause, "quarantine", name, reason))
        if device.status in tables.SHUT_OUT:
            _lose_all(turn, device, "the device was found to lie")
        else:
            shut_out(turn, events.Quarantined(name, reason, "controlplane"), "quarantine")


def released(turn: Turn, event: events.Released) -> None:
    """End a quarantine; the device's next session brings it back to work."""
    device = find(turn, event.device)
    if _step(turn, device, "release"):
        device.reason = None
        # Whoever releases it has looked into it: what it did before is not held against it again.
        device.record = device.record._replace(judged=0, suspicion=0.0)
        turn.audit(event.who, "device.release", device.name)


def _step(turn: Turn, device: state.Device, action: str) -> bool:
    """Take a step if the table has it; a late or repeated event changes nothing."""
    if not tables.allowed(tables.DEVICE, device.status, action):
        return False
    device.status = tables.step(tables.DEVICE, device.status, action)
    turn.save_device(device)
    return True


def _heard(turn: Turn, device: state.Device) -> None:
    device.last_seen = device.heard_at = turn.now
    device.connected = True
    device.hinted_at = None
    device.silent_since = None
    turn.state.offer(device)
    _look_again(turn, device, turn.now + _patience_ms(turn, device))


def _patience_ms(turn: Turn, device: state.Device) -> int:
    wait_ms = ways.silence_ms(turn.policy, device)
    device.patience_ms = None if way_of(device) is None else wait_ms
    return wait_ms


def _look_again(turn: Turn, device: state.Device, due: int) -> None:
    device.silence_at = Millis(due)
    turn.state.timers.arm(due, "silence", device.name)


def _recover(turn: Turn, device: state.Device) -> None:
    for task in device.held.values():
        if task.status == "unknown":
            state.move(task, "hear")
            turn.save_task(task)


def _lose_all(turn: Turn, device: state.Device, reason: str) -> None:
    for task in list(device.held.values()):
        attempts.lose(turn, task, reason)


def _certificate(device: state.Device, digest: bytes, expires: int) -> None:
    device.certificate_hash = digest or device.certificate_hash
    device.certificate_expires = Millis(expires) if expires else device.certificate_expires

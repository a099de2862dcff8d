"""Settling looks at what may have changed, keeps turns and priorities, and forgets nobody."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.core_bench import POLICY, Bench, result
from tests.unit.core_cases import announcement

from qfleet_controlplane.machine import effects, events, leases
from qfleet_controlplane.machine.state import Device
from qfleet_controlplane.planning import demand, schedule
from qfleet_wire import payloads
from qfleet_wire.names import DeviceName, JobId

CAPACITY = 2 * demand.MOST_TASKS_PER_WORKER
"""Echoes that a device of two workers holds."""


def fleet(count: int, **changes: int) -> Bench:
    bench = Bench()
    for number in range(count):
        bench.join(DeviceName(f"d{number}"), announcement(**changes))
    return bench


def holds(bench: Bench) -> list[int]:
    return [len(device.held) for device in bench.machine.state.devices.values()]


def test_nothing_is_looked_at_while_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = fleet(3, max_qubits=10)
    bench.submit(10_000)
    assert holds(bench) == [CAPACITY] * 3
    monkeypatch.setattr(schedule, "schedule", None)
    monkeypatch.setattr(leases, "_slots", None)
    for device in list(bench.machine.state.devices):
        bench.hear(device, payloads.Unsupported("x"))
    bench.tick(1_000)


def test_only_the_device_with_room_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = fleet(20)
    job = bench.submit(20 * CAPACITY + 50)
    assert holds(bench) == [CAPACITY] * 20
    seen: list[str] = []
    before = leases._slot

    def spied(turn: object, device: Device) -> object:
        seen.append(device.name)
        return before(turn, device)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(leases, "_slot", spied)
    bench.hear(DeviceName("d7"), result(next(task for task in job.tasks if task.device == "d7")))
    assert seen.count("d7") >= 1
    assert len(seen) <= 21, "full ones are looked at once more at most, to be struck out"
    seen.clear()
    bench.hear(
        DeviceName("d7"), result(next(iter(bench.machine.state.devices[DeviceName("d7")].held.values())))
    )
    assert set(seen) == {"d7"}
    assert holds(bench) == [CAPACITY] * 20


def test_idle_devices_share_the_work() -> None:
    bench = fleet(10)
    bench.submit(20)
    assert holds(bench) == [2] * 10


def test_work_for_more_than_one_settling_follows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "_MOST_LEASES", 100)
    bench = fleet(4)
    bench.submit(500)
    assert sum(holds(bench)) == 100
    for _ in range(5):
        bench.tick(0)
    assert sum(holds(bench)) == 500


def test_more_devices_than_one_settling_looks_at_get_work_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "_MOST_SLOTS", 4)
    monkeypatch.setattr(leases, "_FEWEST_SLOTS", 2)
    bench = fleet(12)
    bench.submit(12 * CAPACITY)
    for _ in range(12):
        bench.tick(0)
    assert holds(bench) == [CAPACITY] * 12


def test_many_jobs_take_turns_and_a_stuck_one_holds_up_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "_MOST_JOBS", 3)
    bench = Bench()
    for number in range(8):
        bench.submit(1, job=JobId(f"0{number}"), priority=number // 4)
    bench.join(DeviceName("a"), announcement(workers=1))
    sent = [assign.job for assign in bench.sent(payloads.Assign)]
    assert sorted(sent) == [f"0{number}" for number in range(8)]
    assert {*sent[:4]} == {"04", "05", "06", "07"}, "the higher priority first"


def test_nothing_is_leased_while_the_broker_is_away_and_all_of_it_afterwards() -> None:
    bench = fleet(2)
    bench.handle(events.LinkChanged(up=False))
    bench.submit(2 * CAPACITY + 5)
    bench.handle(events.LinkChanged(up=False))
    bench.tick(1_000)
    assert holds(bench) == [0, 0]
    assert bench.sent(payloads.Assign) == []
    bench.handle(events.LinkChanged(up=True))
    assert holds(bench) == [CAPACITY] * 2


def test_a_device_that_has_rested_is_remembered() -> None:
    bench = fleet(1)
    (task,) = bench.submit().tasks
    bench.hear(DeviceName("d0"), payloads.Refused(task.id, 1, "busy", "full"))
    bench.hear(DeviceName("d0"), payloads.Unsupported("x"))
    assert task.status == "pending"
    bench.tick(POLICY.rest_ms)
    assert task.status == "leased"


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["submit", "finish", "fail", "refuse", "lose", "join", "leave"]),
            st.integers(0, 9),
        ),
        max_size=40,
    )
)
def test_no_task_waits_while_a_device_has_room_for_it(steps: list[tuple[str, int]]) -> None:
    """The pool is only a hint: after any history it agrees with a look at every device."""
    bench = fleet(3)
    for number, (what, index) in enumerate(steps):
        _step(bench, number, what, index)
        bench.tick(0)
        room = [device for device in bench.machine.state.devices.values() if _has_room(bench, device)]
        for job in bench.machine.state.jobs.values():
            for task in job.pending:
                assert all(device.name in task.excluded for device in room)


def _has_room(bench: Bench, device: Device) -> bool:
    usable = device.connected and device.status == "online" and device.rests_until <= bench.now
    if not usable or device.announcement is None:
        return False
    slot = demand.Slot(device.name, device.announcement, held=len(device.held), backlog_ms=device.backlog_ms)
    return not slot.full


def _step(bench: Bench, number: int, what: str, index: int) -> None:
    devices = bench.machine.state.devices
    device = devices[DeviceName(f"d{index % len(devices)}")]
    held = list(device.held.values())
    if what == "submit":
        bench.submit(40 * (index + 1), job=JobId(f"{number:02x}"), max_attempts=2)
    elif what == "join":
        bench.handle(events.SessionOpened(device.name))
        bench.hear(device.name, announcement(workers=1 + index % 3), payloads.Inventory((), ()))
    elif what == "leave":
        bench.handle(events.PresenceLost(device.name))
    elif what == "lose":
        bench.handle(events.Enrolled(device.name))
    elif what == "refuse":
        for task in held[: index + 1]:
            code = "busy" if index % 2 else "memory"
            bench.hear(device.name, payloads.Refused(task.id, task.attempt, code, "no"))  # type: ignore[arg-type]  # both are codes
    else:
        outcome = "succeeded" if what == "finish" else "failed"
        for task in held[: 10 * (index + 1)]:
            if task.id in device.held:
                bench.hear(device.name, result(task, task.attempt, outcome=outcome))
    assert all(not isinstance(effect, effects.Alarm) for effect in bench.effects)

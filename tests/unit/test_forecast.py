"""Predictions of a plan: who gets what, when it ends, and why somebody gets nothing."""

import pytest
from tests.unit.core_cases import MIB, announcement
from tests.unit.planner_cases import grid

from qfleet_controlplane.planning import cost, forecast, kinds, plan
from qfleet_controlplane.planning.forecast import Hand
from qfleet_wire import api, payloads


def device(name: str, nanoseconds: float, *, wait_ms: float = 0.0, workers: int = 1) -> Hand:
    calibration = payloads.Calibration("qulacs", nanoseconds, 2.0, 20.0)
    return Hand(name, "north", announcement(workers=workers, calibrations=(calibration,)), wait_ms)


def foreseen(*hands: Hand, items: int = 40) -> tuple[plan.Plan, forecast.Forecast]:
    job = grid(items)
    made = kinds.plan(job, plan.Fleet(4, 4, kinds.rates(job)))
    return made, forecast.forecast(job, made, range(len(made.slices)), hands)


def tasks(part: forecast.Forecast) -> dict[str, int]:
    return {each.device: each.tasks for each in part.devices}


def test_faster_and_freer_devices_get_more() -> None:
    _, part = foreseen(device("slow", 4.0), device("fast", 1.0), device("busy", 1.0, wait_ms=20_000.0))
    got = tasks(part)
    assert got["fast"] > got["slow"] > 0
    assert got["fast"] > got["busy"]


def test_times_are_those_of_the_cost_model() -> None:
    hand = device("one", 2.0, wait_ms=100.0)
    made, part = foreseen(hand, items=1)
    expected = kinds.rates(grid(1), hand.able.calibrations[0]).cost_ms(1, 0)
    (task,), (one,) = part.tasks, part.devices
    assert task.start_ms == 100.0
    assert task.run_ms == pytest.approx(expected)
    assert one.finish_ms == pytest.approx(100.0 + cost.TASK_MS + expected)
    assert one.measured
    assert part.work_ms == pytest.approx(expected)
    assert len(made.slices) == 1


def test_two_workers_take_half_the_time() -> None:
    _, alone = foreseen(device("one", 2.0))
    _, double = foreseen(device("two", 2.0, workers=2))
    assert double.devices[0].finish_ms == pytest.approx(alone.devices[0].finish_ms / 2, rel=0.3)


def test_who_cannot_run_it_is_named_with_the_reason() -> None:
    narrow = Hand("narrow", "north", announcement(max_qubits=5))
    made, part = foreseen(device("able", 2.0), narrow)
    view = forecast.view(grid(40), made, ("all to north",), (part,))
    assert [(each.device, each.lacks) for each in view.devices] == [
        ("able", ""),
        ("narrow", "20 qubits are over its 5"),
    ]
    assert (view.placement, view.memory_bytes > 32 * MIB) == (("all to north",), True)


def test_without_anybody_there_is_no_end() -> None:
    made, part = foreseen()
    view = forecast.view(grid(40), made, (), (part,))
    assert (view.finish_ms, view.tasks, view.task_count > 0) == (None, (), True)


def test_a_device_that_measured_nothing_says_so() -> None:
    _, part = foreseen(Hand("new", "north", announcement()))
    assert (part.devices[0].measured, part.devices[0].engine) == (False, "")


def test_devices_alike_of_another_region_stand_together() -> None:
    hand = forecast.of_class("south", 12, announcement(workers=2), 5.0)
    _, part = foreseen(hand)
    (alike,) = part.devices
    assert (alike.device, alike.number, alike.workers) == ("12 alike", 12, 24)


def test_a_long_plan_lists_its_first_tasks() -> None:
    job = grid(3_000, gates=20_000)
    made = kinds.plan(job, plan.Fleet(1, 1, kinds.rates(job)))
    part = forecast.forecast(job, made, range(len(made.slices)), [device("one", 2.0)])
    assert len(made.slices) > api.MOST_PLANNED
    assert len(forecast.view(job, made, (), (part,)).tasks) == api.MOST_PLANNED

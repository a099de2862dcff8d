"""The tables, and the page that is drawn from them."""

from pathlib import Path
from typing import get_args

import pytest

from qfleet_controlplane.machine import diagrams, tables
from qfleet_wire import api

STATES = Path(__file__).parents[2] / "docs" / "states.md"


def test_the_drawn_page_is_current() -> None:
    assert STATES.read_text(encoding="utf-8") == diagrams.draw()


def test_a_step_that_is_not_in_the_table_raises() -> None:
    with pytest.raises(tables.IllegalStep, match=r"'lease' is not possible in state 'succeeded'"):
        tables.step(tables.TASK, "succeeded", "lease")


def states_of(table: tables.Table) -> set[str]:
    return {before for before, _ in table} | set(table.values())


def test_the_states_are_the_ones_of_the_api() -> None:
    assert states_of(tables.TASK) == set(api.TaskCounts.__struct_fields__)
    assert states_of(tables.JOB) == set(get_args(api.JobStatus))
    assert states_of(tables.DEVICE) == set(get_args(api.DeviceStatus))


def test_what_is_over_stays_over() -> None:
    ways_out = {key for key in tables.TASK if key[0] in tables.TASK_OVER}
    assert ways_out == {("failed", "retry")}
    assert {action for state, action in tables.JOB if state in tables.JOB_OVER} == {"reopen"}
    assert tables.JOB_OVER == api.FINISHED
    assert not {key for key in tables.DEVICE if key[0] == "revoked"}


def test_every_open_task_can_be_ended() -> None:
    copies = {"answered", "spare"}
    for state in copies:
        for action in ("cancel", "expire"):
            assert tables.allowed(tables.TASK, state, action)
    for state in states_of(tables.TASK) - tables.TASK_OVER - copies:
        for action in ("succeed", "fail", "cancel", "expire"):
            assert tables.allowed(tables.TASK, state, action)

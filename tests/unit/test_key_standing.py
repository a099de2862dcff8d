"""What the key process says of its agent and its lines."""

import logging
from pathlib import Path

from qfleet_agent.keyservice import standing
from qfleet_agent.keyservice.standing import LineStanding, Standing

AWAY = Standing(connected=False, trouble="the agent has closed the connection")
SILENT = Standing(connected=True, trouble=None, lines=(LineStanding("b", open=False, trouble="b is away"),))
THERE = Standing(connected=True, trouble=None, lines=(LineStanding("b", open=True, trouble=None),))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert standing.read(tmp_path) is None
    for one in (AWAY, SILENT, THERE):
        standing.write(tmp_path, one)
        assert standing.read(tmp_path) == one
    assert standing.path_in(tmp_path).stat().st_mode & 0o777 == 0o600
    standing.path_in(tmp_path).write_text("{")
    assert standing.read(tmp_path) is None


def test_each_change_is_said_once() -> None:
    assert list(standing.changes(None, AWAY)) == [
        (logging.WARNING, "Nothing passes by way of the agent: the agent has closed the connection.")
    ]
    assert list(standing.changes(AWAY, SILENT)) == [
        (logging.INFO, "Orders and messages pass by way of the agent."),
        (logging.WARNING, "There is no line to b: b is away."),
    ]
    assert list(standing.changes(SILENT, THERE)) == [(logging.INFO, "The line to b is there.")]
    assert list(standing.changes(THERE, THERE)) == []

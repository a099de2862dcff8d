"""What goes on failing is told when it begins, once a minute and when it is over; never with a traceback."""

import logging

import pytest

from qfleet_controlplane.errors import BrokerUnavailable
from qfleet_controlplane.link import faults
from qfleet_controlplane.service.outages import Outage, Words
from qfleet_controlplane.store.leases import LeaseLost
from qfleet_controlplane.store.writer import StoreFailed

LOG = logging.getLogger("outages")


class Clock:
    """Seconds as the test says."""

    def __init__(self) -> None:
        self.now = 5.0

    def __call__(self) -> float:
        return self.now


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    found = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert not any(record.exc_info for record in caplog.records)
    caplog.clear()
    return found


def test_an_outage_is_told_at_its_beginning_once_a_minute_and_at_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    clock = Clock()
    outage = Outage(LOG, Words("Orders wait", "Orders go on", "orders_wait"), clock=clock)
    outage.over()
    assert told(caplog) == []
    for _ in range(240):
        outage.failed(StoreFailed("the disk is full"))
        clock.now += 0.25
    assert told(caplog) == [("WARNING", "Orders wait: the disk is full")]
    outage.failed(StoreFailed("the disk is still full"))
    assert told(caplog) == [("WARNING", "Orders wait (241 times so far): the disk is still full")]
    outage.over()
    outage.over()
    assert told(caplog) == [("INFO", "Orders go on, after 241 failures.")]
    outage.failed(StoreFailed("the disk is full"))
    assert told(caplog) == [("WARNING", "Orders wait: the disk is full")]
    outage.over()
    assert told(caplog) == [("INFO", "Orders go on, after 1 failure.")]


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (StoreFailed("the disk is full"), "WARNING"),
        (BrokerUnavailable("the broker is away"), "WARNING"),
        (LeaseLost("region a is another's"), "INFO"),
    ],
)
def test_an_expected_fault_is_one_sentence(
    caplog: pytest.LogCaptureFixture, error: StoreFailed | BrokerUnavailable | LeaseLost, level: str
) -> None:
    caplog.set_level(logging.INFO)
    faults.note(LOG, "Sessions could not be stored", error, "handshake_store_failed")
    assert told(caplog) == [(level, f"Sessions could not be stored: {error}")]

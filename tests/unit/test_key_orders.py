"""Orders to key processes and their reports: read back as written, and refused in words."""

import subprocess
import sys

import msgspec
import pytest
from tests.unit.qkd_cases import BRIGHT_PAIRS, PULSES

from qfleet_wire import key_orders
from qfleet_wire.errors import InvalidMessage
from qfleet_wire.names import DeviceName, Millis

PEER = DeviceName("rome-1")
EXCHANGE = key_orders.Exchange(
    plan=PULSES,
    peer=PEER,
    role="alice",
    expires=Millis(5),
    eavesdropper=key_orders.Eavesdropper(kind="split", share=0.5),
)
ROUTE = tuple(map(DeviceName, "abc"))
RELAY = key_orders.Relay(relay=bytes(16), route=ROUTE, size=32, expires=Millis(5))


@pytest.mark.parametrize("body", [EXCHANGE, msgspec.structs.replace(EXCHANGE, plan=BRIGHT_PAIRS), RELAY])
def test_an_order_is_read_as_it_was_written(body: key_orders.Order) -> None:
    assert key_orders.order(key_orders.encode(body)) == body


@pytest.mark.parametrize(
    "body",
    [
        key_orders.ExchangeEnded(session="s", role="bob", peer=PEER, outcome="key", bits=8, sifted=9),
        key_orders.RelayEnded(relay=bytes(16), outcome="aborted", reason="late"),
        key_orders.Stock(links=(key_orders.LinkStock(peer=PEER, ours_bits=1, all_bits=2, used_bits=3),)),
        key_orders.RouteAlarm(relay=bytes(16), seen="a tag that does not verify"),
    ],
)
def test_a_report_is_read_as_it_was_written(body: key_orders.Report) -> None:
    assert key_orders.report(key_orders.encode(body)) == body


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a body"),
        (bytes(300_000), "over the limit of"),
        (key_orders.encode(RELAY).replace(b"\xa4size\x20", b"\xa4size\x00"), "size"),
        (key_orders.encode(EXCHANGE).replace(b"\xa5alice", b"\xa5carol"), "role"),
        (key_orders.encode(EXCHANGE).replace(b"\xa6blocks\x02", b"\xa6blocks\x00"), "at least one block"),
        (key_orders.encode(msgspec.structs.replace(RELAY, route=ROUTE[:2])), "route"),
    ],
)
def test_what_is_no_order_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(InvalidMessage, match=words):
        key_orders.order(data)


def test_orders_are_read_without_numpy() -> None:
    code = "import sys, qfleet_wire.key_orders; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # fixed

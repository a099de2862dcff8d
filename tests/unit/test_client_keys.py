"""What `qfleet key` shows: numbers about keys, error rates over time, alarms that stand."""

from io import StringIO
from typing import Any, cast

import pytest
from rich.console import Console, RenderableType
from rich.table import Table

from qfleet import StillRunning
from qfleet.keys import Keys
from qfleet.render import key_details
from qfleet.render import keys as draw
from qfleet.transport import Connection
from qfleet_wire.api import keys as api
from qfleet_wire.names import Millis


def session(number: int, **fields: Any) -> api.KeySessionView:
    whole: dict[str, Any] = {
        "session": f"{number:032x}", "a": "north", "b": "south", "link": "n|s", "protocol": "bb84",
        "status": "key", "bits": 4096, "sifted": 10_000, "error_rate": 0.02, "leak_bits": 1500, "reason": "",
        "seen": "", "created": Millis(1000), "ended": Millis(3500), "eavesdropper": None,
    }  # fmt: skip
    return api.KeySessionView(**whole | fields)


LINK = api.KeyLinkView(
    a="n", b="s", link="n|s", protocol="bb84", state="alarmed", reason="error-rate", simulated=True,
    expected_bits_per_s=1234.0, low_water_bits=1000, last_session=None,
    ends=(api.KeyEndView(device="north", ours_bits=100, all_bits=300, used_bits=50, told=Millis(0),
                         uses=(api.KeyUseView(application="alice", issued_keys=3, fetched_keys=2),)),
          api.KeyEndView(device="south")),
)  # fmt: skip


def drawn(shape: RenderableType) -> str:
    console = Console(width=200, file=StringIO())
    console.print(shape)
    return cast("StringIO", console.file).getvalue()


def shown(table: Table) -> str:
    return drawn(table)


def test_error_rates_are_a_row_of_bars_that_ends_with_the_latest() -> None:
    history = [session(n, error_rate=rate) for n, rate in enumerate((0.0, 0.02, 0.25, 0.3))]
    assert draw.rates(history) == "▁▁██ 30.00 %"
    assert draw.rates([session(0, sifted=0)]) == ""
    assert len(draw.rates([session(0)] * 100, width=5).split()[0]) == 5


def test_the_course_of_a_link_is_its_rates_in_time() -> None:
    sessions = [
        session(2, ended=Millis(5), error_rate=0.1),
        session(1),
        session(3, link="x|y"),
        session(4, ended=None),
    ]
    assert draw.course("n|s", sessions) == [(3500, 0.02), (5, 0.1)]


def test_links_show_their_state_and_history_and_stores_both_ends() -> None:
    text = shown(draw.links([LINK], [session(2, error_rate=0.25), session(1), session(3, link="x|y")]))
    assert "alarmed" in text
    assert "1.23 kbit/s" in text
    assert "▁█ 25.00 %" in text
    stores = shown(draw.stores([LINK]))
    assert "300 bit" in stores
    assert "south" in stores
    assert "alice 3+2" in stores


def test_sessions_and_alarms_say_why() -> None:
    text = shown(draw.sessions([session(1), session(2, status="aborted", bits=0, seen="QBER 25 %")]))
    assert "2.5 s" in text
    assert "QBER 25 %" in text
    alarm = api.KeyAlarmView(at=Millis(0), link="n|s", session="x", seen="error-rate", action="link marked")
    assert "link marked" in shown(draw.alarms([alarm]))
    relay = api.KeyRelayView(relay="ab" * 16, route=("a", "r", "b"), trusted=("r",), size=32, status="key",
                             bits=256, reason="", created=Millis(0), ended=Millis(1))  # fmt: skip
    assert "a - r - b" in shown(draw.relays([relay]))


def detailed(view: api.KeySessionView, *ends: api.KeySessionEnd) -> api.KeySessionDetail:
    return api.KeySessionDetail(
        session=view, who="carol", pulses=2_000_000, expires=Millis(600_000), contact_s=None, ends=ends
    )


RELAY = api.KeyRelayDetail(
    relay=api.KeyRelayView(
        relay="cd" * 16, route=("north", "mid", "south"), trusted=("mid",), size=32, status="ordered", bits=0,
        reason="", created=Millis(0), ended=None, simulated=None,
    ),
    who="dave", links=("m|n", "m|s"), expires=Millis(600_000), ends={"south": "key"}, replaces="ab" * 16,
)  # fmt: skip


def test_a_session_is_shown_with_what_either_end_said() -> None:
    end = api.KeySessionEnd(
        device="south", role="bob", outcome="aborted", bits=0, sifted=10_000, error_rate=0.26, leak_bits=0,
        reason="error-rate", seen="26 % of 10,000 bits", simulated=True,
    )  # fmt: skip
    view = session(1, status="aborted", bits=0, seen="26 % of 10,000 bits", simulated=True)
    text = drawn(key_details.session(detailed(view, end)))
    for words in (f"{1:032x}", "north sends to south", "2,000,000 pulses", "carol", "1970-01-01 00:00:03",
                  "bob", "26.00 %", "26 % of 10,000 bits"):  # fmt: skip
        assert words in text
    assert "void after" not in text
    assert "void after" in drawn(key_details.session(detailed(session(2, status="ordered", ended=None))))


def test_a_relay_is_shown_with_whom_it_trusts() -> None:
    text = drawn(key_details.relay(RELAY))
    for words in ("cd" * 16, "north - mid - south", "m|n, m|s", "dave", "at south", "ab" * 16, "00:10:00",
                  "no device has said yet"):  # fmt: skip
        assert words in text


def test_of_light_is_said_what_devices_said() -> None:
    true, false, none = (session(1, simulated=said) for said in (True, False, None))
    assert draw.basis([true, true]).startswith("The light is simulated")
    assert draw.basis([true, false]).startswith("Some of the light is simulated")
    assert "no device has said" in draw.basis([false, none])
    assert draw.basis([false]) == draw.basis([]) == ""


class Stand:
    """A control plane whose session ends at the third question."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get(self, path: str, _kind: object) -> api.KeySessionDetail:
        self.asked.append(path)
        return detailed(session(1, status="key" if len(self.asked) > 2 else "ordered"))

    def post(
        self, path: str, request: api.KeyExchangeRequest, _kind: object, *, key: str
    ) -> api.KeySessionView:
        assert len(key) == 32
        self.asked.append(f"{path} {request.a} {request.eavesdropper} {request.share:g}")
        return session(1, status="ordered")


def test_an_exchange_is_asked_for_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qfleet.keys._STEP_S", 0.0)
    stand = Stand()
    keys = Keys(cast("Connection", stand))
    ordered = keys.exchange("north", "south", eavesdropper="intercept", share=0.5)
    assert keys.wait_for_session(ordered.session, timeout_s=60).status == "key"
    assert stand.asked[0] == "api/v1/keys/exchange north intercept 0.5"
    assert stand.asked[-1] == f"api/v1/keys/sessions/{1:032x}"
    stand.asked.clear()
    with pytest.raises(StillRunning, match="has not ended within 0 s"):
        keys.wait_for_session("another", timeout_s=0)

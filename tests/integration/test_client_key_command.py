"""``qfleet key`` against a fake control plane: one of them in full, and orders that are made once."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.integration import fake_controlplane as fakes
from tests.integration.fake_controlplane import ControlPlane
from tests.unit.test_client_keys import RELAY, detailed, session
from typer.testing import CliRunner, Result

import qfleet
from qfleet.command.application import application
from qfleet.fleet import Fleet
from qfleet_wire.api import keys as api

NAME = f"{1:032x}"
NONE = fakes.problem(404, "not-found", "there is none")


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ControlPlane]:
    token = tmp_path / "token"
    token.write_text(fakes.TOKEN + "\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    monkeypatch.setenv("QFLEET_TOKEN_FILE", str(token))
    monkeypatch.setenv("COLUMNS", "200")
    with fakes.running() as control_plane:
        monkeypatch.setenv("QFLEET_URL", control_plane.url)
        yield control_plane


def key(*arguments: str) -> Result:
    return CliRunner().invoke(application, ["key", *arguments])


def test_show_finds_a_session_or_a_relay(fake: ControlPlane) -> None:
    fake.on("GET", "keys/sessions/00000000", fakes.of(detailed(session(1, simulated=True))))
    fake.on("GET", "keys/relays/00000000", NONE)
    fake.on("GET", "keys/sessions/cdcd", NONE)
    fake.on("GET", "keys/relays/cdcd", fakes.of(RELAY))
    shown = key("show", "00000000")
    assert shown.exit_code == 0
    assert NAME in shown.stdout
    assert "The light is simulated" in shown.stderr
    shown = key("show", "cdcd")
    assert "north - mid - south" in shown.stdout
    assert "no device has said yet" in shown.stderr
    told = json.loads(key("show", "cdcd", "--json").stdout)
    assert msgspec.convert(told, api.KeyRelayDetail) == RELAY
    told = json.loads(key("show", "00000000", "--json").stdout)
    assert told["session"]["session"] == NAME


def test_show_says_what_it_does_not_find(fake: ControlPlane) -> None:
    for what in ("sessions", "relays"):
        fake.on("GET", f"keys/{what}/abcd", NONE)
        fake.on("GET", f"keys/{what}/ab", fakes.problem(422, "invalid", "too short", hint="more", field="it"))
    fake.on("GET", "keys/sessions/cdcd", fakes.of(detailed(session(1))))
    fake.on("GET", "keys/relays/cdcd", fakes.of(RELAY))
    for name, code, words in (
        ("abcd", 2, "qfleet key relays"),
        ("cdcd", 2, "a session and a relay"),
        ("ab", 3, "hint: more"),
        ("", 2, "is empty"),
    ):
        shown = key("show", name)
        assert (shown.exit_code, shown.stdout) == (code, ""), name
        assert words in shown.stderr


ORDERS: dict[str, tuple[tuple[str, ...], Any]] = {
    "exchange": (("n", "s"), session(1, status="ordered", ended=None)),
    "relay": (("n", "s"), RELAY.relay),
}


@pytest.mark.parametrize("what", ORDERS)
def test_an_order_whose_answer_was_lost_is_repeated_under_its_key(fake: ControlPlane, what: str) -> None:
    ends, view = ORDERS[what]
    lost, away = fakes.Answer(b"", 0), fakes.problem(503, "unavailable", "it starts")
    fake.on("POST", f"keys/{what}", lost, away, fakes.of(view, 201))
    with Fleet(fake.url, fakes.TOKEN, patience_s=30.0) as fleet:
        order = getattr(fleet.keys, what)
        assert order(*ends) == view
        assert order(*ends, key="mine") == view
        order(*ends)
    first, second, third, given, another = fake.asked
    assert first == second == third
    assert len(first.key) == 32
    assert given.key == "mine"
    assert another.key not in {first.key, "mine"}


@pytest.mark.parametrize("what", ORDERS)
def test_an_order_that_was_refused_or_never_went_out_is_not_repeated(fake: ControlPlane, what: str) -> None:
    fake.on("POST", f"keys/{what}", fakes.problem(409, "conflict", "it stands still"),
            fakes.problem(503, "unavailable", "it starts"))  # fmt: skip
    with Fleet(fake.url, fakes.TOKEN, patience_s=1e6) as fleet:
        for error in (qfleet.Refused, qfleet.Unreachable):
            with pytest.raises(error):
                getattr(fleet.keys, what)("n", "s")
    assert len(fake.asked) == 2


def test_the_command_waits_for_what_it_ordered(fake: ControlPlane) -> None:
    fake.on("POST", "keys/exchange", fakes.of(session(1, status="ordered", ended=None), 201))
    fake.on("GET", f"keys/sessions/{NAME}", fakes.of(detailed(session(1, simulated=True))))
    made = key("exchange", "n", "s")
    assert made.exit_code == 0
    assert [asked.path.removeprefix("/api/v1/keys/") for asked in fake.asked] == [
        "exchange",
        f"sessions/{NAME}",
    ]
    fake.on("POST", "keys/relay", fakes.of(RELAY.relay, 201))
    gone = msgspec.structs.replace(RELAY.relay, status="aborted", reason="no pads")
    fake.on("GET", f"keys/relays/{RELAY.relay.relay}", fakes.of(msgspec.structs.replace(RELAY, relay=gone)))
    made = key("relay", "n", "s")
    assert made.exit_code == qfleet.JobFailed.exit_code
    assert "No key: no pads" in made.stderr

"""Accounts at brokers: how logins are made, what is rendered, and what happens when a broker fails."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qfleet_controlplane.broker import accounts, clients, configuration, credentials, logins, mosquitto
from qfleet_controlplane.broker.accounts import Accounts, Change
from qfleet_controlplane.broker.addresses import parse_address, parse_addresses, spell
from qfleet_controlplane.broker.logins import Login, Logins
from qfleet_controlplane.broker.userfile import UserFile, run_command
from qfleet_controlplane.errors import BrokerUnavailable, ConfigurationError
from qfleet_wire.names import DeviceName, RegionName

NORTH = RegionName("north")
FIXED = Logins(Login("north-controller", "c"), logins.NO_LOGIN, Login("north-enrol", "e"))
NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)


def login_of(name: str) -> dict[DeviceName, Login]:
    device = DeviceName(name)
    return {device: credentials.derive(b"s" * 32, NORTH, device)}


def test_a_login_is_derived_as_it_always_was() -> None:
    # openssl dgst -sha256 -mac HMAC over the three parts, each behind its length.
    login = credentials.derive(b"s" * 32, NORTH, DeviceName("pi-1"))
    assert login == Login("north/pi-1", "4rxAPvp3hd3ytfqEUQ1Kp5fkE6cjTjPXgA_s2tYOtf8")
    assert login.password not in repr(login)


@given(NAMES, NAMES, NAMES, NAMES)
def test_no_two_devices_share_a_login(region: str, device: str, other_region: str, other: str) -> None:
    made = credentials.derive(b"s" * 32, RegionName(region), DeviceName(device))
    another = credentials.derive(b"s" * 32, RegionName(other_region), DeviceName(other))
    assert (made == another) == ((region, device) == (other_region, other))
    assert (made.password == another.password) == (made == another)
    assert credentials.device_of(RegionName(region), made.user) == device
    assert credentials.device_of(RegionName(f"{region}-x"), made.user) is None


def test_what_is_rendered_for_nats_is_read_again() -> None:
    text = configuration.render_accounts(NORTH, FIXED, login_of("pi-1") | login_of("pi-2"))
    lines = configuration.device_lines(NORTH, text)
    users = [json.loads(line) for line in lines]
    assert [user["user"] for user in users] == ["north/pi-1", "north/pi-2"]
    assert users[0]["permissions"]["publish"]["allow"] == [
        f"qfleet.1.north.pi-1.{channel}" for channel in ("hello", "up", "peer", "presence")
    ]
    assert users[0]["permissions"]["subscribe"]["allow"] == [
        "qfleet.1.north.pi-1.down",
        "qfleet.1.north.pi-1.peer",
        "qfleet.1.north.authority",
    ]
    assert configuration.render_users(NORTH, FIXED, lines) == text
    assert configuration.device_lines(NORTH, "nonsense") == []


def test_what_mosquitto_reads_holds_no_password_in_clear() -> None:
    devices = login_of("pi-1")
    (login,) = devices.values()
    for text in (
        mosquitto.render_dynamic_security(NORTH, FIXED, devices),
        mosquitto.render_passwords(FIXED, devices),
    ):
        assert "north/pi-1" in text
        assert login.password not in text
    assert mosquitto.render_passwords(FIXED, devices) == mosquitto.render_passwords(FIXED, devices)
    access = mosquitto.render_access({NORTH: FIXED})
    assert "pattern write qfleet/1/%u/up\n" in access
    assert "pattern read qfleet/1/%u/up" not in access


def test_several_addresses_are_taken_in_turn() -> None:
    urls = "mqtts://a:1, mqtts://b:2"
    addresses = parse_addresses(urls)
    assert spell(addresses) == "mqtts://a:1,mqtts://b:2"
    assert parse_addresses(spell(addresses)) == addresses
    accesses = tuple(clients.Access(address, Login("u", "p")) for address in addresses)
    following = clients.in_turn(lambda: accesses)
    assert [following().address for _ in range(3)] == [*addresses, addresses[0]]
    assert parse_address("mqtts://a:1") == addresses[0]


def test_a_login_file_without_a_shared_login_is_read_as_it_was_written(tmp_path: Path) -> None:
    for name, shared in (("own", False), ("shared", True)):
        made = logins.generate(bytes, prefix="north-", shared=shared)
        logins.write(tmp_path / name, made)
        assert logins.read(tmp_path / name) == made
        assert bool(made.device.user) == shared
    (tmp_path / "own").chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        logins.read(tmp_path / "own")


A, B = DeviceName("a"), DeviceName("b")
LA, LB = Login("north/a", "1"), Login("north/b", "2")


@pytest.mark.parametrize(
    ("before", "after", "joined"),
    [
        (Change(added={A: LA}), Change(removed={A}), Change(removed={A})),
        (Change(removed={A}), Change(added={A: LA}), Change(added={A: LA})),
        (Change(added={A: LA}), Change(added={B: LB}), Change(added={A: LA, B: LB})),
        (Change(whole=True), Change(added={A: LA}), Change(whole=True, added={A: LA})),
        (Change(), Change(), Change()),
    ],
)
def test_the_later_change_wins(before: Change, after: Change, joined: Change) -> None:
    assert before.before(after) == joined
    assert bool(joined) == (joined != Change())


class Broker:
    """A broker that takes accounts, or does not."""

    def __init__(self) -> None:
        self.accounts: dict[DeviceName, Login] = {}
        self.changes: list[Change] = []
        self.broken = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def apply(self, accounts: Mapping[DeviceName, Login], change: Change) -> None:
        await self.gate.wait()
        if self.broken:
            raise BrokerUnavailable("it is down")
        self.changes.append(change)
        self.accounts = dict(accounts)


def run_with(broker: Broker, main: Callable[[Accounts], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            kept = Accounts(broker)
            await kept.start({A: LA})
            try:
                await main(kept)
            finally:
                await kept.stop()

    asyncio.run(bounded())


def test_changes_during_a_round_go_together() -> None:
    async def main(kept: Accounts) -> None:
        broker.gate.clear()
        wanted = [login_of(f"pi-{number}") for number in range(500)]
        waiting = [asyncio.create_task(kept.ensure(one)) for one in wanted]
        await asyncio.sleep(0)
        broker.gate.set()
        await asyncio.gather(*waiting)
        assert kept.rounds <= 3
        assert len(broker.accounts) == 501
        await kept.ensure(wanted[0])  # there already: no round
        assert kept.rounds <= 3

    broker = Broker()
    run_with(broker, main)


def test_what_fails_is_tried_again_until_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_FIRST_PAUSE_S", 0.01)

    async def main(kept: Accounts) -> None:
        broker.broken = True
        removing = asyncio.create_task(kept.remove(A))
        adding = asyncio.create_task(kept.ensure({B: LB}))
        await asyncio.sleep(0)
        broker.broken = False
        await asyncio.gather(removing, adding)
        assert broker.accounts == {B: LB}
        assert broker.changes[-1].removed == {A}

    broker = Broker()
    run_with(broker, main)


def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_PATIENCE_S", 0.05)

    async def main(kept: Accounts) -> None:
        broker.broken = True
        with pytest.raises(BrokerUnavailable, match="tried again"):
            await kept.ensure({B: LB})
        broker.gate.clear()
        monkeypatch.setattr(accounts, "_PATIENCE_S", 60)
        waiting = asyncio.create_task(kept.ensure({B: LB}))
        await asyncio.sleep(0)
        await kept.stop()
        with pytest.raises(BrokerUnavailable, match="stops"):
            await waiting

    broker = Broker()
    run_with(broker, main)


def test_a_reload_is_believed_when_a_new_login_works(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.touch(mode=0o640)
    path.chmod(0o640)
    reloads: list[str] = []

    async def reload() -> None:
        reloads.append(path.read_text())

    async def prove(login: Login) -> None:
        if len(proofs) < 2:
            proofs.append(login)
            raise BrokerUnavailable("not yet")

    proofs: list[Login] = []
    file = UserFile(path, ",".join, reload=reload, prove=prove)

    async def main() -> None:
        await file.apply({A: LA}, Change(added={A: LA}))
        await file.apply({A: LA}, Change(whole=True))  # the broker may have another's file

    asyncio.run(main())
    assert (reloads, proofs, path.read_text()) == (["a", "a"], [LA, LA], "a")
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("/nonexistent/reload",), "/nonexistent/reload"),
        (("/bin/sh", "-c", "echo no such node >&2; exit 3"), "code 3: no such node"),
    ],
)
def test_a_reload_command_that_fails_is_quoted(command: tuple[str, ...], words: str) -> None:
    with pytest.raises(BrokerUnavailable, match=re.escape(words)):
        asyncio.run(run_command(command))

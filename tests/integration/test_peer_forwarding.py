"""A control plane forwards between devices, of one region and of two, and says what it refuses."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.integration import site_of_controlplane as sites
from tests.integration.channel_device import Device
from tests.integration.site_of_controlplane import Site

from qfleet_controlplane.command import main
from qfleet_controlplane.daemon import clocks, daemon, exchange, region, returning
from qfleet_controlplane.daemon.exchange import Exchange
from qfleet_controlplane.daemon.region import RegionRuntime
from qfleet_controlplane.link.counts import Counts
from qfleet_controlplane.machine.forwarding import Refused
from qfleet_controlplane.metrics import Registry
from qfleet_controlplane.network import scenarios
from qfleet_controlplane.service import ordering
from qfleet_controlplane.store import key_rows, keys, orders
from qfleet_controlplane.store.database import Database
from qfleet_controlplane.store.tables.fleet import devices
from qfleet_wire import key_orders, payloads
from qfleet_wire.names import DeviceName, Millis, RegionName

ALICE, BOB, CAROL = DeviceName("alice"), DeviceName("bob"), DeviceName("carol")
NORTH, SOUTH = RegionName("north"), RegionName("south")
STOCK = key_orders.encode(key_orders.Stock(links=()))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """What ``init`` makes for two regions with embedded brokers."""
    arguments = ["init", "--directory", str(tmp_path), "--fleet", "home", "--listen", "127.0.0.1:0"]
    for name in (NORTH, SOUTH):
        arguments += ["--region", name, "--broker", f"{name}=embedded"]
    assert main(arguments) == 0
    return tmp_path


async def join(site: Site, name: str, region: str) -> Device:
    answer = await site.client.post("/api/v1/devices", json={"device": name, "region": region})
    assert answer.status_code == 201, answer.text
    device = Device(answer.json()["token"])
    await device.enrol()
    return device


@contextlib.asynccontextmanager
async def in_session(device: Device) -> AsyncIterator[Device]:
    async with device.online():
        assert await device.hello() is None
        await device.send(payloads.Inventory((), ()))
        yield device


@pytest.fixture
def led(monkeypatch: pytest.MonkeyPatch) -> dict[RegionName, RegionRuntime]:
    """The regions that a control plane of this test leads, once it runs."""
    found: dict[RegionName, RegionRuntime] = {}

    class Known(RegionRuntime):
        async def start(self) -> None:
            found[self.region] = self
            await super().start()

    monkeypatch.setattr(daemon, "RegionRuntime", Known)
    return found


async def ended(site: Site, session: str) -> dict[str, object]:
    """A key session once it has ended."""
    while True:
        (shown,) = (await site.client.get("/api/v1/keys/sessions")).json()
        assert shown["session"] == session
        if shown["status"] != "ordered":
            found: dict[str, object] = shown
            return found
        await asyncio.sleep(0.05)


async def heard(device: Device, kind: type[payloads.Down]) -> list[object]:
    """The next messages of this kind."""
    while True:
        found: list[object] = [item for item in await device.hear() if isinstance(item, kind)]
        if found:
            return found


async def refusal(device: Device, to: str) -> str:
    """Send to a device, and return the code of the refusal that must come."""
    await device.send(payloads.ToPeer(DeviceName(to), b"x", 9))
    (told,) = await heard(device, payloads.PeerRefused)
    assert isinstance(told, payloads.PeerRefused)
    assert (told.peer, told.number) == (to, 9)
    return told.code


def test_messages_pass_within_a_region_and_between_two_and_refusals_are_told(directory: Path) -> None:
    async def scenario() -> None:
        async with sites.running(directory) as site:
            alice, bob = await join(site, ALICE, NORTH), await join(site, BOB, NORTH)
            carol = await join(site, CAROL, SOUTH)
            async with in_session(alice), in_session(bob), in_session(carol):
                await alice.send(payloads.ToPeer(BOB, b"within"), payloads.ToPeer(CAROL, b"between"))
                assert await heard(bob, payloads.FromPeer) == [payloads.FromPeer(ALICE, b"within")]
                assert await heard(carol, payloads.FromPeer) == [payloads.FromPeer(ALICE, b"between")]
                await carol.send(payloads.ToPeer(ALICE, b"and back"))
                assert await heard(alice, payloads.FromPeer) == [payloads.FromPeer(CAROL, b"and back")]
                assert await refusal(alice, "nobody") == "unknown"
                assert await refusal(alice, ALICE) == "self"
                for device, shut in ((BOB, "revoke"), (CAROL, "quarantine")):
                    answer = await site.client.post(
                        f"/api/v1/devices/{device}/{shut}", json={"reason": "test"}
                    )
                    assert answer.status_code == 200, answer.text
                assert await refusal(alice, BOB) == "shut-out"
                assert await refusal(alice, CAROL) in {"shut-out", "away"}
                await carol.send(payloads.ToPeer(ALICE, b"from a quarantined device"))
                assert (await carol.refusal()).code == "resumption", "it has no session any more"
            metrics = (await site.client.get("/metrics")).text
            assert 'qfleet_link_forwarded_total{outcome="delivered"} 3' in metrics

    sites.run(scenario)


def test_a_device_without_a_session_is_said_to_be_away(directory: Path) -> None:
    async def scenario() -> None:
        async with sites.running(directory) as site:
            alice = await join(site, ALICE, NORTH)
            await join(site, BOB, NORTH)
            async with in_session(alice):
                assert await refusal(alice, BOB) == "away"

    sites.run(scenario)


def test_what_another_controller_refuses_is_told_to_the_sender_counted_and_logged_once(
    directory: Path,
    led: dict[RegionName, RegionRuntime],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The store stands between the two regions, as when another controller leads the receiver's."""
    monkeypatch.setattr(region, "_ALONE_S", 0.05)
    caplog.set_level(logging.INFO, logger="qfleet_controlplane.link.forwarding")

    async def scenario() -> None:
        async with sites.running(directory) as site:
            alice = await join(site, ALICE, NORTH)
            await join(site, CAROL, SOUTH)
            async with in_session(alice):
                for number in (8, 9):
                    messages = [ordering.Forwarded(ALICE, CAROL, b"x", NORTH, n) for n in (1, number)]
                    order = ordering.forward(SOUTH, messages, clocks.wall())
                    await led[SOUTH].database.writer.run(lambda c, order=order: orders.put(c, [order]))  # type: ignore[misc]
                    (told,) = await heard(alice, payloads.PeerRefused)
                    assert isinstance(told, payloads.PeerRefused)
                    assert (told.peer, told.number, told.code) == (CAROL, number, "away")
            metrics = (await site.client.get("/metrics")).text
            assert 'qfleet_link_forwarded_total{outcome="away"} 4' in metrics
            assert 'qfleet_link_returned_total{reason="away"} 2' in metrics

    sites.run(scenario)
    lines = [one.getMessage() for one in caplog.records if "in its region" in one.getMessage()]
    assert lines == [
        "Messages of alice to carol are refused in its region: device 'carol' has no session (away)."
    ]


def test_of_a_pair_the_last_refusal_goes_back_and_no_region_is_flooded(database_url: str) -> None:
    verdicts = {BOB: None, CAROL: Refused("away", "it has no session")}
    counts = Counts(Registry())
    sent = [(ALICE, BOB), (ALICE, CAROL), (BOB, CAROL), (ALICE, CAROL)]
    messages = [
        ordering.Forwarded(sender, receiver, b"", NORTH, number)
        for number, (sender, receiver) in enumerate(sent)
    ]
    messages.append(ordering.Forwarded(DeviceName("dave"), CAROL, b""))
    refused = returning.hand_out(messages, lambda _sender, receiver, _body: verdicts[receiver], counts)
    assert [(one.sender, one.number, one.home) for one in refused] == [
        (ALICE, 3, NORTH), (BOB, 2, NORTH), ("dave", 0, "")
    ]  # fmt: skip
    assert counts.forwarded.values == {"away": 4}
    database = Database(database_url)
    try:
        for _ in range(returning.MOST_ROWS + 1):
            database.writer.transact(lambda c: returning.put(c, refused, SOUTH, Millis(1)))
        inbox = database.read_now(lambda c: ordering.read(c, NORTH))
        assert len(inbox.empty) == returning.MOST_ROWS
        assert inbox.returned[:2] == refused[:2]
        assert {one.home for one in inbox.returned} == {NORTH}
    finally:
        database.close()


def test_a_session_that_is_asked_for_is_ordered_of_devices_of_two_regions_and_ends_with_their_reports(
    directory: Path,
) -> None:
    text = scenarios.text_of("metro-ring")
    for place, device in (("centre", ALICE), ("north", BOB)):
        text = text.replace(f'name = "{place}"\n', f'name = "{place}"\ndevice = "{device}"\n')

    async def scenario() -> None:
        async with sites.running(directory) as site:
            alice, bob = await join(site, ALICE, NORTH), await join(site, BOB, SOUTH)
            assert (await site.client.post("/api/v1/network", json={"text": text})).status_code == 201
            async with in_session(alice), in_session(bob):
                answer = await site.client.post("/api/v1/keys/exchange", json={"a": "centre", "b": str(BOB)})
                assert answer.status_code == 201, answer.text
                session = answer.json()["session"]
                plans = []
                for device, role, peer in ((alice, "alice", BOB), (bob, "bob", ALICE)):
                    (ordered,) = await heard(device, payloads.KeyOrder)
                    assert isinstance(ordered, payloads.KeyOrder)
                    body = key_orders.order(ordered.body)
                    assert isinstance(body, key_orders.Exchange)
                    assert (ordered.id, body.role, body.peer) == (session, role, peer)
                    plans.append(body.plan)
                    said = key_orders.ExchangeEnded(
                        session=session, role=body.role, peer=peer, outcome="key", bits=4096
                    )
                    report = payloads.KeyReport("ended", key_orders.encode(said))
                    await device.send(payloads.KeyOrderTaken(session), report)
                    await heard(device, payloads.KeyReportStored)
                assert plans[0] == plans[1]
                shown = await ended(site, session)
                assert (shown["status"], shown["bits"]) == ("key", 4096)

    sites.run(scenario)


def test_an_order_comes_until_the_key_process_has_it_and_a_report_until_it_is_stored(
    directory: Path, led: dict[RegionName, RegionRuntime]
) -> None:
    async def scenario() -> None:
        async with sites.running(directory) as site:
            alice = await join(site, ALICE, NORTH)
            link = led[NORTH].link
            await link.order(ALICE, "o1", b"begin")
            await link.order(ALICE, "o1", b"another body of the same order")
            with pytest.raises(ValueError, match="an order has a name"):
                await link.order(ALICE, "", b"x")
            for _ in range(2):  # two sessions, and in the first it is not taken
                async with in_session(alice):
                    assert await heard(alice, payloads.KeyOrder) == [payloads.KeyOrder("o1", b"begin")]
            async with in_session(alice):
                await heard(alice, payloads.KeyOrder)
                report = payloads.KeyReport("r1", STOCK)
                await alice.send(payloads.KeyOrderTaken("o1"), report, report)
                (stored,) = await heard(alice, payloads.KeyReportStored)
                assert isinstance(stored, payloads.KeyReportStored)
                assert set(stored.ids) == {"r1"}
                await link.order(ALICE, "o2", b"next")
                assert await heard(alice, payloads.KeyOrder) == [payloads.KeyOrder("o2", b"next")]
        database = await asyncio.to_thread(Database, f"sqlite:///{directory / 'controlplane.db'}")
        try:
            # The authority of keys reads reports as they come, and keeps the last stock of each device.
            unread = await database.read(lambda connection: keys.reports(connection, 10))
            known = await database.read(key_rows.stocks)
            assert [(one.device, one.id, one.body) for one in unread] in ([], [(ALICE, "r1", STOCK)])
            assert list(known) == ([] if unread else [ALICE])
            (left,) = await database.read(lambda connection: keys.orders(connection, ALICE, 10))
            assert left.id == "o2"
        finally:
            await asyncio.to_thread(database.close)

    sites.run(scenario)


def test_reports_that_nobody_reads_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MOST_UNREAD", 2)
    database = Database(f"sqlite:///{tmp_path / 'store.db'}")
    said = [keys.Report(ALICE, f"r{number}", Millis(number), b"") for number in range(3)]
    try:
        took = database.writer.transact(lambda connection: [keys.report(connection, one) for one in said])
        assert took == [True, True, False]
        assert database.writer.transact(
            lambda connection: keys.report(connection, said[2]._replace(device=BOB))
        )
    finally:
        database.close()


def test_for_a_region_led_elsewhere_messages_go_through_its_inbox_which_is_bounded(tmp_path: Path) -> None:
    now = Millis(1_000_000)

    async def scenario() -> None:
        database = Database(f"sqlite:///{tmp_path / 'store.db'}")
        await database.writer.run(_add_device)
        counts = Counts(Registry())
        here = Exchange(database, counts, lambda: now)
        told: list[Refused] = []
        try:
            for number in range(3):
                here.forward(ALICE, NORTH, payloads.ToPeer(BOB, b"%d" % number), told.append)
            await _until(lambda: counts.forwarded.values.get("handed-over") == 3)
            inbox = await database.read(lambda connection: ordering.read(connection, SOUTH))
            assert [(at, each.sender, each.receiver) for at, each in inbox.forwarded] == [
                (now, ALICE, BOB)
            ] * 3
            assert {each.body for _, each in inbox.forwarded} == {b"0", b"1", b"2"}
            assert inbox.wanted == []
            assert len(inbox.empty) == 1, "three messages are one row"
            full = [ordering.forward(SOUTH, [], now)] * exchange.MOST_ROWS
            await database.writer.run(lambda connection: orders.put(connection, full))
            here.forward(ALICE, NORTH, payloads.ToPeer(BOB, b"no room"), told.append)
            await _until(lambda: len(told) == 1)
            assert counts.forwarded.values == {"handed-over": 3}, "who is told counts it"
            for _ in range(exchange.MOST_ITEMS + 1):
                here.forward(ALICE, NORTH, payloads.ToPeer(BOB, b"gathers"), told.append)
            assert [each.code for each in told] == ["full", "full"]
        finally:
            await here.close()
            database.close()

    sites.run(scenario)


def _add_device(connection: sa.Connection) -> None:
    connection.execute(devices.insert().values(name=BOB, region=SOUTH, status="online", trust=1.0))


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not holds():  # noqa: ASYNC110 - a counter offers no event
            await asyncio.sleep(0.01)

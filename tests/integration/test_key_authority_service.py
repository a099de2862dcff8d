"""The authority of keys over a real store: what it decides is stored and ordered in one, or not at all."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import sqlalchemy as sa
from tests.integration.key_authority_site import A, B, C, D, Site
from tests.unit.key_authority_cases import BITS, NOW, links

from qfleet_controlplane.errors import Conflict, InvalidRequest, NotFound
from qfleet_controlplane.service import ordering
from qfleet_controlplane.service.twin_live import Meddle, Run, order
from qfleet_controlplane.store import key_rows, keys, networks
from qfleet_controlplane.store.database import Database
from qfleet_controlplane.store.tables.fleet import devices
from qfleet_controlplane.store.tables.record import audit
from qfleet_wire import key_orders
from qfleet_wire.api.keys import KeyExchangeRequest, KeyRelayRequest
from qfleet_wire.api.network import FaultRequest, SimulationRequest
from qfleet_wire.key_orders import RelayEnded, Role
from qfleet_wire.names import DeviceName, RegionName


class PowerLost(Exception):
    """The process dies here."""


def play(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await main()

    asyncio.run(bounded())


def test_a_session_is_asked_for_ordered_reported_and_shown(database: Database) -> None:
    site = Site(database)
    site.load()

    async def main() -> None:
        made = await site.authority.exchange(
            KeyExchangeRequest(a="a", b="b", eavesdropper="split", share=0.5), "eve"
        )
        assert (made.status, made.a, made.b, made.eavesdropper) == ("ordered", A, B, "split 0.5")
        assert site.sent == [A, B]
        waiting = site.orders()
        assert set(waiting) == {A, B}
        with pytest.raises(Conflict, match=made.session):
            await site.authority.exchange(KeyExchangeRequest(a="b", b="a"), "eve")
        site.ended(made.session, (A, B), "alice", "key")
        site.ended(made.session, (B, A), "bob", "key")
        await site.authority.turn()
        (shown,) = await site.authority.sessions(link="b|a")
        assert (shown.status, shown.bits, shown.error_rate, shown.ended) == ("key", 90_000, 0.02, site.now)
        # Whatever nobody took is withdrawn, and what was read is gone.
        assert (site.orders(), site.unread()) == ({}, 0)
        assert site.authority.counts["session-key"] == 1
        assert await site.authority.sessions(link="b|c") == ()
        (entry,) = database.read_now(lambda c: c.execute(sa.select(audit.c.action, audit.c.who)).all())
        assert tuple(entry) == ("key.exchange", "eve")

    play(main)


def test_links_say_how_they_stand(database: Database) -> None:
    site = Site(database, low_water_bits=7)
    site.load()

    async def main() -> None:
        site.stock_all()
        await site.authority.turn()
        shown = {one.link: one for one in await site.authority.links()}
        assert set(shown) == set(links())
        assert (shown["a|b"].state, shown["a|b"].low_water_bits, shown["a|b"].simulated) == ("up", 7, None)
        assert [one.all_bits for one in shown["a|b"].ends] == [2 * BITS, 2 * BITS]
        assert [one.told for one in shown["a|b"].ends] == [NOW, NOW]
        assert (shown["a|s"].state, shown["a|s"].reason) == (
            "down",
            "no contact before 100 s of the scenario",
        )
        site.now += 150_000  # the twin never ran: the clock counts
        assert {one.link: one.state for one in await site.authority.links()}["a|s"] == "up"

    play(main)


def test_what_devices_say_of_their_light_is_told_and_nothing_else(database: Database) -> None:
    site = Site(database)
    site.load()

    async def session(a: str, b: str, said: tuple[bool | None, bool | None]) -> str:
        made = await site.authority.exchange(KeyExchangeRequest(a=a, b=b), "eve")
        ends = DeviceName(made.a), DeviceName(made.b)
        roles: tuple[Role, ...] = ("alice", "bob")
        for role, simulated, own in zip(roles, said, (ends, ends[::-1]), strict=True):
            site.ended(made.session, own, role, "key", simulated=simulated)
        site.now += 100_000
        await site.authority.turn()
        return made.session

    async def light(link: str) -> bool | None:
        return {one.link: one.simulated for one in await site.authority.links()}[link]

    async def relayed() -> bool | None:
        site.stock_all()
        await site.authority.turn()
        return (await site.authority.relay(KeyRelayRequest(a="a", b="c"), "eve")).simulated

    async def main() -> None:
        for said, told in (((True, False), True), ((False, None), None), ((False, False), False)):
            name = await session("a", "b", said)
            assert {one.session: one.simulated for one in await site.authority.sessions()}[name] is told
            assert await light("a|b") is (True if told is None else told), "who says nothing changes nothing"
        assert await relayed() is None, "of one of its links nobody has said anything"
        for ends in ("bc", "ad", "dc"):
            await session(ends[0], ends[1], (False, False))
        assert await relayed() is False
        for ends in ("bc", "dc"):  # the last of either way
            await session(ends[0], ends[1], (True, True))
        assert await relayed() is True
        made = await site.authority.exchange(KeyExchangeRequest(a="a", b="b"), "eve")
        assert (made.simulated, await light("a|b")) == (None, False), "it has not had any light yet"
        site.ended(made.session, (A, B), "alice", "aborted", seen="count-rate", simulated=False)
        await site.authority.turn()
        assert [one.simulated for one in await site.authority.alarms()] == [False]

    play(main)


def test_one_session_and_one_relay_are_found_by_the_first_letters(database: Database) -> None:
    site = Site(database)
    site.load()

    async def main() -> None:
        site.stock_all()
        await site.authority.turn()
        made = await site.authority.exchange(KeyExchangeRequest(a="a", b="b", pulses=2_000_000), "eve")
        site.ended(made.session, (B, A), "bob", "key", simulated=True)
        await site.authority.turn()
        detail = await site.authority.session(made.session[:31])
        assert (detail.session.session, detail.who, detail.session.simulated) == (made.session, "eve", True)
        assert detail.pulses == 2_000_000
        assert detail.expires == detail.session.created + 600_000
        assert [(end.device, end.role, end.bits) for end in detail.ends] == [(B, "bob", 90_000)]
        relay = await site.authority.relay(KeyRelayRequest(a="a", b="c"), "carol")
        site.report(C, RelayEnded(relay=bytes.fromhex(relay.relay), outcome="key", bits=256))
        await site.authority.turn()
        found = await site.authority.carried(relay.relay)
        assert (found.relay.route, found.who, found.ends) == ((A, B, C), "carol", {C: "key"})
        assert (found.links, found.replaces) == (("a|b", "b|c"), "")
        with pytest.raises(NotFound):
            await site.authority.session(relay.relay)
        with pytest.raises(InvalidRequest, match="no name of a relay"):
            await site.authority.carried("%%%%")

    play(main)


def test_the_leader_forgets_once_a_day_what_ended_long_ago(database: Database) -> None:
    site = Site(database)
    site.load()

    async def left() -> tuple[int, int]:
        return len(await site.authority.sessions()), len(await site.authority.relays())

    async def main() -> None:
        site.stock_all()
        await site.authority.turn()
        await site.authority.exchange(KeyExchangeRequest(a="a", b="b"), "eve")
        await site.authority.relay(KeyRelayRequest(a="a", b="c"), "eve")
        site.now += key_rows.KEPT_MS + 1
        site.leads = False
        await site.authority.turn()
        assert await left() == (1, 1)
        site.leads = True
        await site.authority.turn()  # both are open until now, and end
        assert await left() == (1, 1)
        site.now += 3_600_000
        await site.authority.turn()
        assert await left() == (1, 1), "it is not looked for at each turn"
        site.now += 86_400_000
        await site.authority.turn()
        assert await left() == (0, 0)

    play(main)


def test_a_low_stock_is_filled_by_the_leader_alone_and_an_idle_turn_writes_nothing(
    database: Database,
) -> None:
    site = Site(database, low_water_bits=3 * BITS)
    site.load()

    async def main() -> None:
        site.stock_all()
        site.leads = False
        await site.authority.turn()
        assert (site.orders(), site.unread()) == ({}, 5)
        site.leads = True
        await site.authority.turn()
        assert {one.link for one in await site.authority.sessions()} == {"a|b", "b|c", "a|d", "c|d"}
        assert set(site.orders()) == {A, B, C, D}
        before = database.writer.transactions
        await site.authority.turn()
        assert database.writer.transactions == before

    play(main)


def test_an_alarm_marks_the_link_in_the_twin_and_a_relay_goes_another_way(database: Database) -> None:
    site = Site(database)
    site.load()

    async def main() -> None:
        site.stock_all()
        await site.authority.turn()
        relay = await site.authority.relay(KeyRelayRequest(a="a", b="c", bytes=32), "eve")
        assert (relay.route, relay.trusted) == ((A, B, C), (B,))
        made = await site.authority.exchange(KeyExchangeRequest(a="a", b="b"), "eve")
        site.ended(made.session, (A, B), "alice", "aborted", seen="error-rate: 26 % of 10,000 bits")
        site.ended(made.session, (B, A), "bob", "aborted", seen="error-rate: 26 % of 10,000 bits")
        await site.authority.turn()
        await site.twin.turn()
        (alarm,) = await site.authority.alarms()
        assert alarm.seen.startswith("error-rate")
        assert {one.link: one.state for one in await site.authority.links()}["a|b"] == "alarmed"
        assert site.twin.live is not None
        assert site.twin.live.twin.faults["a|b"].kind == "failed"
        routes = {one.relay: (one.route, one.status) for one in await site.authority.relays()}
        assert routes.pop(relay.relay) == ((A, B, C), "aborted")
        ((name, (route, status)),) = routes.items()
        assert (route, status) == ((A, D, C), "ordered")
        for end in (A, C):
            site.report(end, RelayEnded(relay=bytes.fromhex(name), outcome="key", bits=256))
        await site.authority.turn()
        assert {one.relay: one.status for one in await site.authority.relays()}[name] == "key"
        # It stands until somebody mends the link in the twin.
        with pytest.raises(Conflict, match="qfleet network mend a b"):
            await site.authority.exchange(KeyExchangeRequest(a="a", b="b"), "eve")
        database.writer.transact(
            lambda c: networks.ask(c, 1, order(Meddle(FaultRequest(a="a", b="b", fault="none"))))
        )
        await site.authority.turn()
        assert (await site.authority.alarms())[0].cleared is None
        await site.twin.turn()
        await site.authority.turn()
        assert (await site.authority.alarms())[0].cleared == site.now
        await site.authority.exchange(KeyExchangeRequest(a="a", b="b"), "eve")

    play(main)


def test_the_time_of_contacts_is_that_of_the_twin_once_it_ran(database: Database) -> None:
    site = Site(database)
    site.load()

    async def main() -> None:
        run = order(Run(SimulationRequest(speed=10.0)))
        database.writer.transact(lambda c: networks.ask(c, 1, run))
        await site.twin.turn()
        site.now += 15_000
        made = await site.authority.exchange(KeyExchangeRequest(a="s", b="a"), "eve")
        assert made.link == "a|s"
        site.now += 40_000
        assert {one.link: one.state for one in await site.authority.links()}["a|s"] == "down"

    play(main)


def test_a_session_that_nobody_reports_ends_and_a_stranger_changes_nothing(database: Database) -> None:
    site = Site(database)
    site.load()

    async def main() -> None:
        made = await site.authority.exchange(KeyExchangeRequest(a="a", b="b"), "eve")
        site.ended(made.session, (C, B), "alice", "key")
        bad = keys.Report(A, "bad", site.clock(), b"no report")
        database.writer.transact(lambda c: keys.report(c, bad))
        await site.authority.turn()
        assert (await site.authority.sessions())[0].status == "ordered"
        assert (site.authority.counts["foreign"], site.authority.counts["report-unreadable"]) == (1, 1)
        assert site.unread() == 0
        site.now += 660_000
        await site.authority.turn()
        (ended,) = await site.authority.sessions()
        assert ended.status == "expired"
        assert "did not say how it ended" in ended.reason
        assert site.orders() == {}

    play(main)


@pytest.mark.parametrize("at", range(1, 9))
def test_a_power_cut_leaves_both_ends_ordered_or_neither(
    database: Database, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(database, low_water_bits=3 * BITS)
    site.load()
    site.stock_all()
    count = 0

    def cut(real: Callable[..., object]) -> Callable[..., object]:
        def maybe(*given: object) -> object:
            nonlocal count
            count += 1
            if count == at:
                raise PowerLost
            return real(*given)

        return maybe

    with monkeypatch.context() as patched:
        patched.setattr(keys, "order", cut(keys.order))
        patched.setattr(key_rows, "save", cut(key_rows.save))
        with pytest.raises(PowerLost):
            asyncio.run(site.authority.turn())
    assert (site.orders(), site.unread(), site.sent) == ({}, 5, [])
    play(Site(database, low_water_bits=3 * BITS).authority.turn)
    waiting = site.orders()
    begun = [
        one.plan.session for held in waiting.values() for one in held if isinstance(one, key_orders.Exchange)
    ]
    assert sorted(begun) == sorted(2 * list(set(begun)))
    assert len(begun) == 8


def test_a_region_that_is_led_elsewhere_is_told_of_orders(database: Database) -> None:
    site = Site(database)
    site.load()
    rows = [
        {"name": name, "region": region, "status": "online", "trust": 0.5}
        for name, region in ((A, "north"), (B, "south"))
    ]

    async def main() -> None:
        await database.writer.run(lambda connection: connection.execute(devices.insert(), rows))
        await site.authority.exchange(KeyExchangeRequest(a="a", b="b"), "eve")
        assert database.read_now(lambda c: ordering.read(c, RegionName("north"))).keyed == []
        inbox = database.read_now(lambda c: ordering.read(c, RegionName("south")))
        assert (inbox.keyed, len(inbox.empty), inbox.wanted) == ([B], 1, [])

    play(main)


def test_what_is_asked_wrongly_is_refused_and_nothing_is_stored(database: Database) -> None:
    site = Site(database)

    async def main() -> None:
        with pytest.raises(NotFound, match="device = "):
            await site.authority.exchange(KeyExchangeRequest(a="a", b="b"), "eve")
        site.load()
        for request, words in (
            (KeyExchangeRequest(a="a", b="b", eavesdropper="blind", share=2.0), "share = 2"),
            (KeyExchangeRequest(a="a", b="b", pulses=3), "pulses = 3"),
        ):
            with pytest.raises(InvalidRequest, match=words):
                await site.authority.exchange(request, "eve")
        with pytest.raises(Conflict, match="do not tell their stock"):
            await site.authority.relay(KeyRelayRequest(a="a", b="c"), "eve")
        with pytest.raises(InvalidRequest, match="limit = 0"):
            await site.authority.sessions(0)
        assert (await site.authority.sessions(), await site.authority.relays(), site.orders()) == ((), (), {})

    play(main)

"""A session or a relay that is asked for again under its key is ordered once: over HTTP, in a race, later."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from tests.integration.key_authority_site import A, B, C, Site, serving

from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_controlplane.errors import Conflict
from qfleet_controlplane.service.repeats import KEY_LETTERS
from qfleet_controlplane.store import key_rows
from qfleet_controlplane.store.database import Database
from qfleet_controlplane.store.tables.keys import key_asks
from qfleet_controlplane.store.tables.record import audit
from qfleet_wire.api.keys import KeyExchangeRequest, KeyRelayRequest
from qfleet_wire.names import Millis

A_B = KeyExchangeRequest(a="a", b="b")
OTHER = KeyExchangeRequest(a="b", b="c")
A_TO_C = KeyRelayRequest(a="a", b="c")
KEY = "a key/1"


def play(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await main()

    asyncio.run(bounded())


def made(database: Database, action: str) -> int:
    """How often it was written down that somebody ordered something."""
    query = sa.select(sa.func.count()).where(audit.c.action == action)
    return int(database.read_now(lambda connection: connection.scalar(query)) or 0)


def test_a_repeated_exchange_is_one_session_and_shows_how_it_stands_now(database: Database) -> None:
    site = Site(database)
    site.load()

    async def main() -> None:
        first = await site.authority.exchange(A_B, "eve", KEY)
        site.sent.clear()
        again = await asyncio.gather(*(site.authority.exchange(A_B, "eve", KEY) for _ in range(4)))
        assert [one.session for one in again] == 4 * [first.session]
        assert {device: len(held) for device, held in site.orders().items()} == {A: 1, B: 1}
        assert set(site.sent) == {A, B}, "what devices have not taken is sent again"
        assert made(database, "key.exchange") == site.authority.counts["session-ordered"] == 1
        for ends, role in (((A, B), "alice"), ((B, A), "bob")):
            site.ended(first.session, ends, role, "key")  # type: ignore[arg-type] # roles of the loop
        await site.authority.turn()
        site.sent.clear()
        # Another process, much later: it is the same session, and the link would be free for a new one.
        later = Site(database)
        later.numbers = iter(range(1_000, 2_000))
        ended = await later.authority.exchange(A_B, "mallory", KEY)
        assert (ended.session, ended.status, ended.bits) == (first.session, "key", 90_000)
        assert (site.sent, site.orders(), len(await site.authority.sessions())) == ([], {}, 1)
        assert (await later.authority.exchange(A_B, "eve", "another")).session != first.session

    play(main)


def test_a_repeated_relay_books_its_links_once(database: Database) -> None:
    site = Site(database)
    site.load()
    site.stock_all()

    async def main() -> None:
        await site.authority.turn()
        first = await site.authority.relay(A_TO_C, "eve", KEY)
        again = await site.authority.relay(A_TO_C, "eve", KEY)
        assert (again.relay, again.route) == (first.relay, (A, B, C))
        assert len(await site.authority.relays()) == made(database, "key.relay") == 1
        unkeyed = {(await site.authority.relay(A_TO_C, "eve")).relay for _ in range(2)}
        assert len(unkeyed | {first.relay}) == 3

    play(main)


def test_of_two_controllers_that_are_asked_at_once_one_orders(database_url: str) -> None:
    both = [Database(database_url) for _ in range(2)]
    sites = [Site(database) for database in both]
    sites[0].load()
    sites[1].numbers = iter(range(1_000, 2_000))

    async def main() -> None:
        for number in range(4):
            key = f"{KEY} {number}"
            sites[0].now += 1
            sites[0].stock_all()
            await sites[0].authority.turn()
            asked = await asyncio.gather(*(site.authority.relay(A_TO_C, "eve", key) for site in sites))
            assert asked[0] == asked[1]
        assert len(await sites[0].authority.relays()) == made(both[0], "key.relay") == 4

    try:
        play(main)
    finally:
        for database in both:
            database.close()


def test_what_was_refused_leaves_its_key_free(database: Database) -> None:
    site = Site(database)
    site.load()

    async def main() -> None:
        with pytest.raises(Conflict, match="do not tell their stock"):
            await site.authority.relay(A_TO_C, "eve", KEY)
        site.stock_all()
        await site.authority.turn()
        assert (await site.authority.relay(A_TO_C, "eve", KEY)).status == "ordered"

    play(main)


def test_a_key_is_kept_as_long_as_what_it_made(database: Database) -> None:
    site = Site(database)
    site.load()

    def rows() -> int:
        query = sa.select(sa.func.count()).select_from(key_asks)
        return int(database.read_now(lambda connection: connection.scalar(query)) or 0)

    async def main() -> None:
        await site.authority.exchange(A_B, "eve", KEY)
        began = site.now
        site.now += 700_000
        await site.authority.turn()
        for passed, left in ((key_rows.KEPT_MS, 1), (key_rows.KEPT_MS + 1, 0)):
            now = Millis(began + passed)
            database.writer.transact(lambda c, now=now: key_rows.forget(c, now))  # type: ignore[misc]
            assert rows() == len(await site.authority.sessions()) == left
        assert (await site.authority.exchange(A_B, "eve", KEY)).created == site.now

    play(main)


def test_what_differs_under_a_used_key_is_refused_in_words(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'controlplane.db'}")
    site = Site(database)
    site.load()
    site.stock_all()

    async def post(client: httpx.AsyncClient, route: str, key: str, **body: object) -> httpx.Response:
        return await client.post(route, json=body, headers={"Idempotency-Key": key})

    async def main() -> None:
        await site.authority.turn()
        async with serving(site) as client:
            first = await post(client, "exchange", KEY, a="a", b="b")
            again = await post(client, "exchange", KEY, a="a", b="b", share=1.0)
            assert (first.status_code, again.status_code) == (201, 201)
            assert first.json() == again.json()
            for route, body in (("exchange", {"a": "b", "b": "a"}), ("relay", {"a": "a", "b": "c"})):
                refused = await post(client, route, KEY, **body)
                problem = refused.json()
                assert (refused.status_code, problem["field"]) == (409, "Idempotency-Key")
                told = f"exchange {first.json()['session']} was ordered under this Idempotency-Key"
                assert told in problem["message"]
                assert "new key" in problem["hint"]
            for wrong in ("", "x" * (KEY_LETTERS + 1), "a\tb"):
                for route, b in (("exchange", "b"), ("relay", "c")):
                    refused = await post(client, route, wrong, a="a", b=b)
                    problem = refused.json()
                    assert (refused.status_code, problem["field"]) == (422, "Idempotency-Key"), wrong
                    assert "printable ASCII" in problem["hint"]
            assert (len(await site.authority.sessions()), await site.authority.relays()) == (1, ())

    try:
        play(main)
        with pytest.raises(RequestRefused):
            asyncio.run(site.authority.exchange(OTHER, "eve", "ä"))
    finally:
        database.close()

"""What is asked wrongly of the key API: each answer says what was wrong, in which field, and what to do."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple, TypeAlias

import httpx
import msgspec
import pytest
from tests.integration.key_authority_site import A, B, Site, serving

from qfleet_controlplane.errors import Unavailable
from qfleet_controlplane.service.twin_live import Meddle, order
from qfleet_controlplane.store import networks
from qfleet_controlplane.store.database import Database
from qfleet_wire.api import Problem
from qfleet_wire.api.keys import KeyExchangeRequest, KeyRelayRequest, KeySessionView
from qfleet_wire.api.network import FaultRequest

OPENAPI = "/api/v1/openapi"


async def loaded(site: Site) -> None:
    site.load()


async def nothing(_: Site) -> None:
    return


async def stocked(site: Site) -> None:
    site.load()
    site.stock_all()
    await site.authority.turn()


async def emptied(site: Site) -> None:
    site.load()
    site.stock_all(bits=8)
    await site.authority.turn()


async def busy(site: Site) -> None:
    site.load()
    async with serving(site) as client:
        assert (await client.post("exchange", json={"a": "a", "b": "b"})).status_code == 201


async def twice(site: Site) -> None:
    await stocked(site)
    for _ in range(2):
        await site.authority.relay(KeyRelayRequest(a="a", b="c"), "eve")
    for ends in ("ab", "bc"):
        await site.authority.exchange(KeyExchangeRequest(a=ends[0], b=ends[1]), "eve")


async def away(site: Site) -> None:
    """The second question for sessions, which is the one over HTTP, finds no store."""
    site.load()
    whole, answered = site.authority.sessions, 0

    async def sessions(limit: int = 100, link: str = "") -> tuple[KeySessionView, ...]:
        nonlocal answered
        answered += 1
        if answered == 2:
            raise Unavailable("the store does not answer")
        return await whole(limit, link)

    site.authority.sessions = sessions  # type: ignore[method-assign] # one object's own


async def alarmed(site: Site) -> None:
    await busy(site)
    (open_one,) = await site.authority.sessions()
    site.ended(open_one.session, (A, B), "alice", "aborted", seen="error-rate: 26 %")
    await site.authority.turn()


async def broken(site: Site) -> None:
    site.load()
    fault = order(Meddle(FaultRequest(a="a", b="b", fault="failed")))
    site.database.writer.transact(lambda connection: networks.ask(connection, 1, fault))
    await site.twin.turn()


Before: TypeAlias = Callable[[Site], Awaitable[None]]


class Wrong(NamedTuple):
    """A request as ``before`` has left things, and what its refusal says."""

    route: str
    body: str | None
    status: int
    field: str | None
    message: str
    hint: str
    before: Before = loaded
    token: str = "operator"


EXCHANGE, RELAY = '{"a": "a", "b": "b"#}', '{"a": "a", "b": "c"#}'


def exchange(more: str) -> str:
    return EXCHANGE.replace("#", more)


def relay(more: str) -> str:
    return RELAY.replace("#", more)


WRONG = [
    Wrong("exchange", None, 400, None, "no body", "JSON object"),
    Wrong("exchange", "{", 400, None, "truncated", OPENAPI),
    Wrong("exchange", "[]", 400, "data", "`object`", OPENAPI),
    Wrong("exchange", '{"a": "a"}', 400, "b", "missing", OPENAPI),
    Wrong("exchange", '{"a": 1, "b": "b"}', 400, "a", "`str`", OPENAPI),
    Wrong("exchange", exchange(', "pulse": 3'), 400, "pulse", "unknown", "`pulses`"),
    Wrong("exchange", exchange(', "eavesdropper": "splt"'), 400, "eavesdropper", "splt", "`split`"),
    Wrong("exchange", exchange(', "share": "x"'), 400, "share", "`float`", OPENAPI),
    Wrong("exchange", exchange(', "share": 2'), 422, "share", "[0, 1]", "all of the light"),
    Wrong("exchange", exchange(', "pulses": 3'), 422, "pulses", "pulses = 3", "leave it out"),
    Wrong("exchange", '{"a": "x", "b": "b"}', 404, "a", "'x'", "a, b, c, d, s"),
    Wrong("exchange", '{"a": "at-a", "b": "x"}', 404, "b", "'x'", "a, b, c, d, s"),
    Wrong("exchange", '{"a": "a", "b": "at-a"}', 422, "b", "two places", "b, c, d, s"),
    Wrong("exchange", '{"a": "a", "b": "c"}', 404, "b", "share no link", "qfleet key relay a c"),
    Wrong("exchange", EXCHANGE.replace("#", ""), 404, None, "joins two devices", "device = ", nothing),
    Wrong("exchange", exchange(""), 409, None, "have a session", "wait until it has ended", busy),
    Wrong("exchange", exchange(""), 409, None, "error-rate", "qfleet network mend a b", alarmed),
    Wrong("exchange", exchange(""), 409, None, "failed in the twin", "qfleet network mend a b", broken),
    Wrong("exchange", '{"a": "a", "b": "s"}', 409, None, "no contact at 0 s", "network contacts --node s"),
    Wrong("exchange", exchange(""), 403, None, "role operator", "token add", token="viewer"),
    Wrong("exchange", exchange(""), 401, None, "not known", "token add", token="eve"),
    Wrong("relay", relay(', "bytes": "x"'), 400, "bytes", "`int`", OPENAPI),
    Wrong("relay", relay(', "size": 32'), 400, "size", "unknown", OPENAPI),
    Wrong("relay", relay(', "bytes": 8'), 422, "bytes", "[16, 16,384]", "32 bytes", stocked),
    Wrong("relay", relay(', "bytes": 16385'), 422, "bytes", "[16, 16,384]", "32 bytes", stocked),
    Wrong("relay", relay(""), 409, None, "do not tell their stock", "qfleet key list"),
    Wrong("relay", relay(""), 409, None, "no route over other places", "fewer bytes", emptied),
    Wrong("relay", '{"a": "a", "b": "nowhere"}', 404, "b", "'nowhere'", "a, b, c, d, s"),
    Wrong("sessions?limit=0", None, 400, "limit", ">= 1", OPENAPI),
    Wrong("relays?limit=x", None, 400, "limit", "`int`", OPENAPI),
    Wrong("alarms?limit=1001", None, 400, "limit", "<= 1000", OPENAPI),
    Wrong("sessions", None, 503, None, "does not answer", "ask again", away),
    Wrong("sessions/xyz", None, 422, "session", "'xyz'", "0 to 9 and a to f"),
    Wrong("relays/00", None, 422, "relay", "'00'", "the first 4"),
    Wrong("sessions/abcd", None, 404, "session", "'abcd'", "qfleet key sessions"),
    Wrong("relays/abcd", None, 404, "relay", "'abcd'", "90 days"),
    Wrong("sessions/0000", None, 409, "session", "more than one", "more letters", twice),
    Wrong("relays/0000", None, 409, "relay", "more than one", "more letters", twice),
    Wrong("sessions?link=a-b", None, 422, "link", "'a-b'", "A|B"),
]


@pytest.mark.parametrize("before", list(dict.fromkeys(one.before for one in WRONG)))
def test_a_refusal_names_the_field_and_what_to_do(tmp_path: Path, before: Before) -> None:
    async def main(site: Site) -> None:
        await before(site)
        async with serving(site) as client:
            stored = await everything(site)
            for wrong in WRONG:
                if wrong.before is before:
                    check(wrong, await ask(client, wrong))
            assert await everything(site) == stored

    database = Database(f"sqlite:///{tmp_path / 'controlplane.db'}")
    try:
        asyncio.run(main(Site(database)))
    finally:
        database.close()


async def everything(site: Site) -> tuple[object, ...]:
    return await site.authority.sessions(), await site.authority.relays(), site.orders()


async def ask(client: httpx.AsyncClient, wrong: Wrong) -> httpx.Response:
    method = "POST" if wrong.route in {"exchange", "relay"} else "GET"
    headers = {"Authorization": f"Bearer {wrong.token}"}
    return await client.request(method, wrong.route, content=wrong.body, headers=headers)


def check(wrong: Wrong, answer: httpx.Response) -> None:
    problem = msgspec.json.decode(answer.content, type=Problem)
    assert (answer.status_code, problem.field) == (wrong.status, wrong.field), (wrong, problem)
    assert wrong.message in problem.message, (wrong, problem)
    assert wrong.hint in problem.hint, (wrong, problem)
    assert problem.hint not in problem.message, "what to do is said once"

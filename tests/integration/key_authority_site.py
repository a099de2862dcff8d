"""A control plane's part of keys over a real store: a ring of places whose devices say what a test wants."""

import functools
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
import msgspec
from litestar import Litestar
from tests.unit.key_authority_cases import BITS, NOW, device, links, stocked

from qfleet_controlplane.api import application
from qfleet_controlplane.api.backends import Backends
from qfleet_controlplane.authority.roles import Caller
from qfleet_controlplane.authority.roles import Role as Rights
from qfleet_controlplane.keys.model import Rules
from qfleet_controlplane.network.survey import Survey
from qfleet_controlplane.service.keys import KeyAuthority, Surroundings
from qfleet_controlplane.service.twin import TwinRunner
from qfleet_controlplane.store import keys, networks
from qfleet_controlplane.store.database import Database
from qfleet_wire import key_orders
from qfleet_wire.key_orders import ExchangeEnded, Outcome, Role, Stock
from qfleet_wire.names import DeviceName, Millis, RegionName

A, B, C, D, S = (device(node) for node in "abcds")
EVERYONE = (A, B, C, D, S)


TOKENS = {role.name.lower(): role for role in Rights}


class Site:
    """A control plane's part of keys, and a link that only remembers whom it was told to send orders."""

    def __init__(self, database: Database, *, low_water_bits: int = 0) -> None:
        self.database = database
        self.now = int(NOW)
        self.leads = True
        self.sent: list[DeviceName] = []
        self.twin = TwinRunner(database, lambda: True, self.clock)
        self.numbers = iter(range(1, 10_000))
        self.authority = KeyAuthority(
            database,
            Rules(low_water_bits),
            Surroundings(
                clock=self.clock,
                random=self.random,
                home=lambda: database if self.leads else None,
                send=self.send,
                marked=self.twin.wake,
                led=lambda: {RegionName("north")},
            ),
        )
        self.said = iter(range(10_000))

    def clock(self) -> Millis:
        return Millis(self.now)

    def random(self, size: int) -> bytes:
        return next(self.numbers).to_bytes(size, "big")

    def send(self, devices: Collection[DeviceName]) -> None:
        self.sent += devices

    def load(self) -> None:
        survey = Survey(
            name="ring", title="a ring", epoch_ms=int(NOW), duration_s=86_400.0, sites=(), fibres=(),
            satellites=(), passes=(), contacts=(), wants=(), links=tuple(links().values()),
        )  # fmt: skip
        encoded = msgspec.json.encode(survey)
        self.database.writer.transact(lambda c: networks.load(c, "ring.toml", b"", encoded, self.clock()))

    def report(self, own: DeviceName, body: key_orders.Report) -> None:
        said = keys.Report(own, str(next(self.said)), self.clock(), key_orders.encode(body))
        assert self.database.writer.transact(lambda c: keys.report(c, said))

    def stock_all(self, bits: int = BITS) -> None:
        for own, told in stocked(bits).items():
            self.report(own, Stock(links=tuple(told.links.values())))

    def ended(
        self,
        session: str,
        ends: tuple[DeviceName, DeviceName],
        role: Role,
        outcome: Outcome,
        *,
        seen: str = "",
        simulated: bool | None = None,
    ) -> None:
        own, peer = ends
        bits = 90_000 if outcome == "key" else 0
        self.report(
            own,
            ExchangeEnded(
                session=session,
                role=role,
                peer=peer,
                outcome=outcome,
                bits=bits,
                error_rate=0.02,
                seen=seen,
                simulated=simulated,
            ),
        )

    def orders(self) -> dict[DeviceName, list[key_orders.Order]]:
        """What waits for each device."""
        found = {
            name: self.database.read_now(lambda c, name=name: keys.orders(c, name, 99))  # type: ignore[misc]
            for name in EVERYONE
        }
        return {name: [key_orders.order(one.body) for one in held] for name, held in found.items() if held}

    def unread(self) -> int:
        return len(self.database.read_now(lambda c: keys.reports(c, 99)))


class Tokens:
    async def caller_of(self, token: str) -> Caller | None:
        return Caller(token, TOKENS[token]) if token in TOKENS else None


@functools.cache
def _application() -> Litestar:
    """Made once: it takes a good part of a second, and knows its backends by its state alone."""
    return application.make(cast("Any", None), version="0", max_body_bytes=2000)


@asynccontextmanager
async def serving(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    """The application over the authority of keys and nothing else."""
    absent = cast("Any", None)
    backends = Backends(
        jobs=absent, devices=absent, tokens=Tokens(), fleet=absent, notary=absent, network=absent,
        keys=site.authority,
    )  # fmt: skip
    served = _application()
    served.state.backends = backends
    headers = {"Authorization": "Bearer operator"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(cast("Any", served)),
        base_url="http://here/api/v1/keys/",
        headers=headers,
    ) as client:
        yield client

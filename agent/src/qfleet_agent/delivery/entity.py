"""The key management entity (KME): delivers keys to the applications of this device.

``enc_keys`` first commits which bytes form the key, then announces it to the peer's KME, and
answers only when that has stored it durably. What was announced and not delivered is withdrawn at
both ends: its bytes are used up and counted, and nobody gets them.
"""

import asyncio
import base64
import logging
import uuid
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple, TypeVar

from qfleet_agent.delivery import formats, requests
from qfleet_agent.delivery.announcer import Announcer, Answer
from qfleet_agent.delivery.outbox import Outbox, Patience
from qfleet_agent.delivery.places import Places
from qfleet_agent.delivery.refusals import NOT_FOUND, UNHANDLED, BadRequest, Unauthorized, Unavailable
from qfleet_agent.errors import (
    AgentError,
    AnnouncementExpired,
    AnnouncementRefused,
    KeyNotFound,
    KeysExhausted,
    KeyStoreFull,
    KeyStoreUnusable,
    NotNamed,
)
from qfleet_agent.keystore.announcement import KEY_ID_BYTES, Announcement
from qfleet_agent.keystore.issuing import Issued, Order, Unconfirmed
from qfleet_agent.keystore.keeper import Keeper
from qfleet_wire.channel.derivation import Random
from qfleet_wire.names import Millis

log = logging.getLogger(__name__)

_T = TypeVar("_T")


class Terms(NamedTuple):
    """What a KME says of itself and allows."""

    name: str
    """Its KME ID."""
    bounds: requests.Bounds = requests.Bounds()
    max_key_count: int = 1_000_000
    fetch_within_ms: int = 3_600_000
    """How long a key waits for the applications that were named."""
    answer_s: float = 5.0
    """How long an application waits for the peer's KME."""


class World(NamedTuple):
    """What a KME takes from outside: the time, and unpredictable bytes."""

    now: Callable[[], Millis]
    random: Random


class Entity:
    """One KME over its key store."""

    def __init__(
        self, keeper: Keeper, announcer: Announcer, places: Places, terms: Terms, world: World
    ) -> None:
        self._keeper = keeper
        self._places = places
        self._terms = terms
        self._world = world
        patience = Patience(answer=terms.answer_s)
        self._outbox = Outbox(keeper, announcer, lambda: world.random(1)[0] / 256, patience)

    @property
    def bounds(self) -> requests.Bounds:
        """What requests are read by."""
        return self._terms.bounds

    async def start(self) -> None:
        """Go on with what was announced before a restart: it may have been delivered."""
        self._outbox.tell(await self._keeper.check())

    async def sweep(self) -> None:
        """End what has expired; to be called now and then."""
        self._outbox.tell(await self._keeper.sweep())

    async def close(self) -> None:
        """Stop announcing. The store stays open."""
        await self._outbox.close()

    async def status(self, caller: str | None, asked: requests.Status) -> formats.Status:
        """Answer ``status`` (clause 5.2)."""
        master = self._places.admit(caller)
        link = self._places.link(asked.slave)
        stock = await self._available(self._keeper.stock(link))
        bounds = self._terms.bounds
        return formats.Status(
            source_kme_id=self._terms.name,
            target_kme_id=link,
            master_sae_id=master,
            slave_sae_id=asked.slave,
            key_size=bounds.key_size,
            stored_key_count=stock.ours * 8 // bounds.key_size,
            max_key_count=self._terms.max_key_count,
            max_key_per_request=bounds.max_key_per_request,
            max_key_size=bounds.max_key_size,
            min_key_size=bounds.min_key_size,
            max_sae_id_count=bounds.max_sae_id_count,
        )

    async def encrypt(self, caller: str | None, asked: requests.Encrypt) -> formats.KeyContainer:
        """Answer ``enc_keys`` (clause 5.3)."""
        master = self._places.admit(caller)
        link, slaves, neighbours = self._places.recipients(master, asked.slave, asked.additional)
        if self._outbox.is_silent(link):
            raise Unavailable("the KME of the slave does not answer")
        order = Order(
            link,
            master,
            slaves,
            neighbours,
            tuple(self._key_id() for _ in range(asked.number)),
            asked.size // 8,
            Millis(self._world.now() + self._terms.fetch_within_ms),
        )
        issued = await self._available(self._keeper.issue(order))
        await self._agree(link, issued)
        extension = None
        if asked.unhandled:
            details = [{"extension_optional_unhandled": name} for name in asked.unhandled]
            extension = {"message": UNHANDLED, "details": details}
        keys = tuple(_key(one.announcement.key, one.material) for one in issued)
        return formats.KeyContainer(keys, extension)

    async def decrypt(self, caller: str | None, asked: requests.Decrypt) -> formats.KeyContainer:
        """Answer ``dec_keys`` (clause 5.4)."""
        slave = self._places.admit(caller)
        try:
            fetched = await self._available(self._keeper.fetch(asked.master, slave, asked.keys))
        except NotNamed:
            raise Unauthorized from None
        except KeyNotFound:
            raise BadRequest(NOT_FOUND) from None
        return formats.KeyContainer(tuple(_key(*one) for one in fetched))

    async def hear(self, link: str, batch: Sequence[Announcement]) -> list[Answer]:
        """Answer announcements of the KME at the other end of ``link``; ``taken`` is durable."""
        known = [made for made in batch if made.withdrawn or self._places.here.issuperset(made.slaves)]
        names = {made.key for made in known}
        strange = [made for made in batch if made.key not in names]
        answers = [
            Answer(made.key, "unwanted", f"not all of {', '.join(made.slaves)} are here") for made in strange
        ]
        try:
            outcomes = await self._keeper.accept(link, known)
        except (KeyStoreFull, KeyStoreUnusable) as error:
            log.error("No key can be stored: %s", error, extra={"action": "key-store-failed"})  # noqa: TRY400
            outcomes = [error] * len(known)
        return answers + [_answer(made, outcome) for made, outcome in zip(known, outcomes, strict=True)]

    async def _agree(self, link: str, issued: Sequence[Issued]) -> None:
        """Return when the peer has stored all keys; else give them all up."""
        futures = self._outbox.post(link, [one.announcement for one in issued])
        try:
            async with asyncio.timeout(self._terms.answer_s):
                answers = await asyncio.gather(*futures)
        except TimeoutError:
            await self._give_up(link, issued, set())
            raise Unavailable("the KME of the slave did not answer in time") from None
        refused = {answer.key: answer.reason for answer in answers if answer.verdict != "taken"}
        for reason in refused.values():
            await self._give_up(link, issued, set(refused))
            raise Unavailable(f"the KME of the slave does not take the key: {reason}")

    async def _give_up(self, link: str, issued: Sequence[Issued], settled: set[bytes]) -> None:
        made = [one.announcement for one in issued if one.announcement.key not in settled]
        self._outbox.tell(await self._keeper.withdraw([Unconfirmed(link, one) for one in made]))

    async def _available(self, call: Coroutine[Any, Any, _T]) -> _T:
        try:
            return await call
        except KeysExhausted:
            raise Unavailable("there are not enough keys for this slave now") from None
        except (KeyStoreFull, KeyStoreUnusable) as error:
            log.error("No key can be delivered: %s", error, extra={"action": "key-store-failed"})  # noqa: TRY400
            raise Unavailable("the key store does not work now") from None

    def _key_id(self) -> bytes:
        return uuid.UUID(bytes=self._world.random(KEY_ID_BYTES), version=4).bytes


def _key(key: bytes, material: bytes) -> formats.Key:
    return formats.Key(str(uuid.UUID(bytes=key)), base64.b64encode(material).decode())


def _answer(made: Announcement, outcome: AgentError | None) -> Answer:
    if outcome is None:
        return Answer(made.key, "taken")
    if isinstance(outcome, AnnouncementExpired):
        return Answer(made.key, "unwanted", str(outcome))
    if isinstance(outcome, AnnouncementRefused):
        return Answer(made.key, "no-such-bits", str(outcome), outcome.blocks)
    return Answer(made.key, "later", str(outcome))

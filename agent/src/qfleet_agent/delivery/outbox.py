"""Announces keys to the peers until they have answered: batched, repeated, one batch under way per link.

What waits here stands in the store too, so a restart goes on with it. A link whose last batch was
not answered is *silent*: no further key is cut for it until the peer has answered again, so that a
peer that is away costs no key material however often an application asks.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import NamedTuple

from qfleet_agent.delivery.announcer import Announcer, Answer, PeerSilent
from qfleet_agent.errors import KeyStoreFull, KeyStoreUnusable
from qfleet_agent.keystore.announcement import Announcement
from qfleet_agent.keystore.issuing import Unconfirmed
from qfleet_agent.keystore.keeper import Keeper

log = logging.getLogger(__name__)

MOST_BATCH = 256


class Patience(NamedTuple):
    """Times in seconds."""

    answer: float = 5.0
    """How long the peer may take to answer a batch."""
    base: float = 0.5
    """First pause after a batch without an answer; it doubles."""
    most: float = 30.0


class Outbox:
    """All links; ``jitter`` gives numbers in [0, 1) that keep two ends from pausing in step."""

    def __init__(
        self, keeper: Keeper, announcer: Announcer, jitter: Callable[[], float], patience: Patience
    ) -> None:
        self._keeper = keeper
        self._announcer = announcer
        self._jitter = jitter
        self._patience = patience
        self._links: dict[str, _Link] = {}

    def is_silent(self, link: str) -> bool:
        """Whether the peer has not answered the last batch."""
        return link in self._links and self._links[link].failures > 0

    def post(self, link: str, made: Iterable[Announcement]) -> list[asyncio.Future[Answer]]:
        """Announce keys; each future gives the peer's answer, once there is one."""
        one = self._links.setdefault(link, _Link())
        futures = [one.put(announcement) for announcement in made]
        self._wake(link, one)
        return futures

    def tell(self, told: Iterable[Unconfirmed]) -> None:
        """Announce what nobody waits for."""
        for link, made in told:
            one = self._links.setdefault(link, _Link())
            one.waiting[made.key] = made
            self._wake(link, one)

    async def close(self) -> None:
        """Stop announcing."""
        tasks = [one.task for one in self._links.values() if one.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _wake(self, link: str, one: "_Link") -> None:
        if one.task is None or one.task.done():
            one.task = asyncio.create_task(self._run(link, one), name=f"announcing to {link}")

    async def _run(self, link: str, one: "_Link") -> None:
        while one.waiting:
            batch = list(one.waiting.values())[:MOST_BATCH]
            try:
                async with asyncio.timeout(self._patience.answer):
                    answers = await self._announcer.announce(link, batch)
                if await self._take(link, one, batch, answers):
                    one.failures = 0
                    continue
                why = "it can store nothing now"
            except (PeerSilent, KeyStoreFull, KeyStoreUnusable, TimeoutError, OSError) as error:
                why = str(error) or "no answer in time"
            await self._pause(link, one, why)

    async def _take(
        self, link: str, one: "_Link", batch: list[Announcement], answers: Iterable[Answer]
    ) -> bool:
        """Carry out what the peer says; False where nothing was settled."""
        sent = {made.key: made for made in batch}
        confirmed = []
        settled = False
        for answer in answers:
            made = sent.get(answer.key)
            if made is None or answer.verdict == "later":
                continue
            settled = True
            if one.waiting.get(answer.key) is not made:
                continue  # it was withdrawn meanwhile, and the peer must hear of that
            told: list[Unconfirmed] = []
            if answer.verdict == "taken" or made.withdrawn:
                confirmed.append(answer.key)
            elif answer.verdict == "no-such-bits":
                log.error("%s refuses a key: %s", link, answer.reason, extra={"action": "key-refused"})
                told = await self._keeper.refused(link, made, answer.blocks)
            else:
                told = await self._keeper.withdraw([Unconfirmed(link, made)])
            if one.waiting.get(answer.key) is made:
                del one.waiting[answer.key]
            self.tell(told)
            one.answer(answer)
        if confirmed:
            self._keeper.confirm(confirmed)
        return settled

    async def _pause(self, link: str, one: "_Link", why: str) -> None:
        if one.failures == 0:
            log.warning("No keys for the link to %s: %s.", link, why, extra={"action": "key-peer-silent"})
        pause = min(self._patience.base * 2**one.failures, self._patience.most)
        one.failures = min(one.failures + 1, 32)
        await asyncio.sleep(pause * (0.5 + self._jitter()))


class _Link:
    """What one peer has not answered yet."""

    def __init__(self) -> None:
        self.waiting: dict[bytes, Announcement] = {}
        self.failures = 0
        self.task: asyncio.Task[None] | None = None
        self._futures: dict[bytes, asyncio.Future[Answer]] = {}

    def put(self, made: Announcement) -> asyncio.Future[Answer]:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.waiting[made.key] = made
        self._futures[made.key] = future
        future.add_done_callback(lambda _: self._futures.pop(made.key, None))
        return future

    def answer(self, answer: Answer) -> None:
        future = self._futures.get(answer.key)
        if future is not None and not future.done():
            future.set_result(answer)

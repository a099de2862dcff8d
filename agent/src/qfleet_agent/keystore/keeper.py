"""The key store as an event loop sees it: one thread, and whatever queued during a commit goes in the next.

What is awaited here is durable when it returns, so that whatever depends on it may be sent. Time and
randomness come from outside.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeAlias, TypeVar

from qfleet_agent.errors import AgentError
from qfleet_agent.keystore import fetching, issuing, keeping
from qfleet_agent.keystore.announcement import Announcement
from qfleet_agent.keystore.base import Base
from qfleet_agent.keystore.counts import Row
from qfleet_agent.keystore.fetching import Fetched
from qfleet_agent.keystore.issuing import Issued, Order, Unconfirmed
from qfleet_agent.keystore.keeping import Fresh, Stock
from qfleet_agent.keystore.store import Call, Store
from qfleet_wire.names import Millis

MOST_CALLS = 256
"""Calls of one transaction."""
LAZY_S = 1.0

_T = TypeVar("_T")
Also: TypeAlias = Callable[[Base], None]
"""What is stored together with a change of a block."""


def _nothing(_: Base) -> None:
    """Store nothing else."""


class Keeper:
    """An open key store with its thread."""

    def __init__(self, store: Store, now: Callable[[], Millis]) -> None:
        self._store = store
        self._now = now
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="keystore")
        self._queue: list[tuple[Callable[[Base], Any], asyncio.Future[Any]]] = []
        self._busy: asyncio.Task[None] | None = None
        self._confirmed: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None

    async def keep(
        self, link: str, block: bytes, material: bytes, expires: Millis | None = None, also: Also = _nothing
    ) -> None:
        """Store a block of an exchange as provisional, and do ``also`` in the same transaction.

        Raises:
            BlockRefused: it cannot be stored like this.
            KeyStoreFull: it has no room.
        """

        def call(base: Base) -> None:
            self._store.check_room(len(material))
            keeping.keep(base, Fresh(link, block, material, expires), self._now())
            also(base)

        await self.transact(call)

    async def release(self, link: str, block: bytes, also: Also = _nothing) -> None:
        """Let a block be used: the peer has confirmed that it stored it. Raises ``BlockRefused``."""

        def call(base: Base) -> None:
            keeping.release(base, link, block, self._now())
            also(base)

        await self.transact(call)

    async def destroy(self, link: str, block: bytes, also: Also = _nothing) -> None:
        """Give a block up; it can never be kept again."""

        def call(base: Base) -> None:
            keeping.destroy(base, link, block, self._now())
            also(base)

        await self.transact(call)

    async def issue(self, order: Order) -> list[Issued]:
        """Make keys of our half. Raises ``KeysExhausted``."""
        return await self.transact(lambda base: issuing.issue(base, order, self._now()))

    def confirm(self, keys: Sequence[bytes]) -> None:
        """Forget announcements that the peer has confirmed, with the next commit or in ``LAZY_S``.

        Nobody needs to wait for it: what a power cut brings back is announced once more.
        """
        self._confirmed.extend(keys)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LAZY_S, self._wake)

    async def withdraw(self, given_up: Sequence[Unconfirmed]) -> list[Unconfirmed]:
        """Mark keys that were given to nobody; return what the peer must be told."""
        return await self.transact(partial(issuing.withdraw, given_up=given_up))

    async def refused(self, link: str, made: Announcement, blocks: Sequence[bytes]) -> list[Unconfirmed]:
        """Give up what the peer cannot make a key of; return what it must be told."""
        return await self.transact(lambda base: issuing.refused(base, link, made, blocks, self._now()))

    async def accept(self, link: str, made: Sequence[Announcement]) -> list[AgentError | None]:
        """Store keys that the peer has announced; each None, or why it is refused."""
        calls = [lambda base, one=one: fetching.accept(base, link, one, self._now()) for one in made]
        outcomes = await asyncio.gather(*map(self.transact, calls), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, AgentError):
                raise outcome
        return [outcome for outcome in outcomes if outcome is None or isinstance(outcome, AgentError)]

    async def fetch(self, master: str, caller: str, keys: Sequence[bytes]) -> list[Fetched]:
        """Give an application its keys. Raises ``NotNamed`` or ``KeyNotFound``."""
        return await self.transact(lambda base: fetching.fetch(base, master, caller, keys, self._now()))

    async def stock(self, link: str) -> Stock:
        """Return what a link has."""
        return await self.transact(lambda base: keeping.stock(base, link, self._now()))

    async def counts(self) -> list[Row]:
        """Return what was counted."""
        return await self.transact(lambda base: base.tally.read())

    async def check(self) -> list[Unconfirmed]:
        """Return what was announced before a restart and must be repeated."""
        return await self.transact(keeping.check)

    async def sweep(self) -> list[Unconfirmed]:
        """End what has expired, and empty the log; return what the peers must be told."""
        told = await self.transact(lambda base: keeping.sweep(base, self._now()))
        await asyncio.get_running_loop().run_in_executor(self._thread, self._store.fold)
        return told

    async def close(self) -> None:
        """Finish what is queued, close the file and end the thread."""
        self._wake()
        while self._busy is not None:
            await asyncio.wait([self._busy])
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._store.close)
        self._thread.shutdown()

    async def transact(self, call: Callable[[Base], _T]) -> _T:
        """Carry out a call in the next transaction; what it has stored is durable when this returns."""
        future: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._queue.append((call, future))
        self._wake()
        return await future

    def _wake(self) -> None:
        if self._busy is None and (self._queue or self._confirmed):
            self._busy = asyncio.create_task(self._work(), name="keystore")

    async def _work(self) -> None:
        try:
            await self._carry_out()
            while self._queue:
                await self._carry_out()
        finally:
            self._busy = None

    async def _carry_out(self) -> None:
        """Carry out what is queued, as much as goes into one commit."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._queue = self._queue[:MOST_CALLS], self._queue[MOST_CALLS:]
        confirmed, self._confirmed = self._confirmed, []
        # First: whoever withdraws a key that was confirmed before does so later in the same commit.
        calls: list[Call] = [partial(issuing.confirm, keys=confirmed), *(call for call, _ in batch)]
        try:
            _, *outcomes = await asyncio.get_running_loop().run_in_executor(
                self._thread, self._store.batch, calls
            )
        except Exception as error:  # noqa: BLE001  # whoever waits gets it
            outcomes = [error] * len(batch)
            self.confirm(confirmed)
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.done():
                continue  # whoever waited has gone; what was done stays done
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

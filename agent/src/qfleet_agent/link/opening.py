"""Opens one session on a living connection: asks, asks again, falls back from resumption to hello."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Literal

from qfleet_agent.link.backoff import Backoff
from qfleet_agent.link.handshakes import Handshakes
from qfleet_wire import door
from qfleet_wire.channel import frames
from qfleet_wire.channel.derivation import Random
from qfleet_wire.channel.frames import Kind
from qfleet_wire.channel.initiator import Established
from qfleet_wire.errors import AnotherAnswer, LocalError, RemoteError

SENDS = 3
"""How often one frame is sent before the attempt is given up."""

log = logging.getLogger(__name__)


class Opening:
    """Opens sessions, one after the other."""

    def __init__(self, handshakes: Handshakes, backoff: Backoff, *, answer_s: float, random: Random) -> None:
        self._handshakes = handshakes
        self._backoff = backoff
        self._answer_s = answer_s
        self._random = random
        self._frames: asyncio.Queue[door.Frame] = asyncio.Queue(maxsize=16)
        self._nudged = asyncio.Event()
        self.trouble: str | None = None
        """Why no session could be opened, until one is."""

    def take(self, frame: door.Frame) -> None:
        """Take in an unsealed frame; when too many wait, it is dropped like a lost one."""
        if not self._frames.full():
            self._frames.put_nowait(frame)

    def nudge(self) -> None:
        """End a wait early: there is reason to believe that a controller has come."""
        self._nudged.set()

    async def open(self, send: Callable[[bytes], Awaitable[None]], failed: Callable[[], None]) -> Established:
        """Return a session, however long it takes.

        ``send`` publishes a hello and may raise; ``failed`` is told whenever a full one came to
        nothing.
        """
        while True:
            established = await self._attempt(send)
            if established is not None:
                self.trouble = None
                return established
            resumed = self._handshakes.resuming
            self._handshakes.failed()
            if not resumed:
                failed()
                await self._pause()

    async def _attempt(self, send: Callable[[bytes], Awaitable[None]]) -> Established | None:
        try:
            frame = self._handshakes.begin()
        except LocalError as error:
            self._note(f"no session can be asked for: {error}")
            return None
        for _ in range(SENDS):
            await send(frame)
            outcome = await self._answer()
            if isinstance(outcome, Established):
                return outcome
            if outcome == "refused":
                return None
        self._note("the controller does not answer")
        return None

    async def _answer(self) -> Established | Literal["refused", "late"]:
        try:
            async with asyncio.timeout(self._answer_s):
                while True:
                    outcome = await self._judge(await self._frames.get())
                    if outcome is not None:
                        return outcome
        except TimeoutError:
            return "late"

    async def _judge(self, frame: door.Frame) -> Established | Literal["refused"] | None:
        try:
            if frame.kind is Kind.REFUSAL:
                refusal = frames.read(frame.payload, frames.Refusal)
                if not self._handshakes.refused(refusal):
                    return None
                self._note(f"the controller refuses a session ({refusal.code}): {refusal.text}")
                return "refused"
            return await self._handshakes.finish(frame.payload)
        except AnotherAnswer:
            return None
        except (sqlite3.OperationalError, OSError) as error:
            self._note(f"what a session rests on cannot be stored: {error}")
            return "refused"
        except RemoteError as error:
            self._note(f"an answer is not valid: {error}")
            return None

    async def _pause(self) -> None:
        wait = self._backoff.next_s(asyncio.get_running_loop().time(), self._random)
        self._nudged.clear()
        try:
            async with asyncio.timeout(wait):
                await self._nudged.wait()
        except TimeoutError:
            return

    def _note(self, text: str) -> None:
        if text != self.trouble:
            log.warning("No session yet: %s", text, extra={"action": "no-session"})
        self.trouble = text

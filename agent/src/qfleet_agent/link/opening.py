"""Opens one session on a living connection: asks, asks again, falls back from resumption to hello."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from qfleet_agent.link.handshakes import Handshakes
from qfleet_agent.ways.backoff import Backoff
from qfleet_wire import door
from qfleet_wire.channel import frames
from qfleet_wire.channel.derivation import Random
from qfleet_wire.channel.frames import Kind
from qfleet_wire.channel.initiator import Established
from qfleet_wire.errors import AnotherAnswer, LocalError, RemoteError

SENDS = 3
"""How often one frame is sent before the attempt is given up."""
MOST_TURNS = 12
"""How often one frame waits for the turn that a controller without room gave it."""
LONGEST_TURN_S = 60.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Turn:
    """The controller has no room now, and says when it will have some."""

    wait_s: float


class Opening:
    """Opens sessions, one after the other."""

    def __init__(self, handshakes: Handshakes, backoff: Backoff, *, answer_s: float, random: Random) -> None:
        self._handshakes = handshakes
        self._backoff = backoff
        self._answer_s = answer_s
        self._random = random
        self._frames: asyncio.Queue[door.Frame] = asyncio.Queue(maxsize=16)
        self._nudged = asyncio.Event()
        self._unheard = False
        self.trouble: str | None = None
        """Why no session could be opened, until one is."""

    def take(self, frame: door.Frame) -> None:
        """Take in an unsealed frame; when too many wait, it is dropped like a lost one."""
        if not self._frames.full():
            self._frames.put_nowait(frame)

    def nudge(self) -> None:
        """End a wait early: there is reason to believe that a controller has come."""
        self._nudged.set()

    async def open(
        self,
        send: Callable[[bytes], Awaitable[None]],
        failed: Callable[[], None],
        unheard: Callable[[], None] = lambda: None,
    ) -> Established:
        """Return a session, however long it takes.

        ``send`` publishes a hello and may raise; ``failed`` is told whenever a full one came to
        nothing, ``unheard`` when nobody has answered an attempt.
        """
        while True:
            established = await self._attempt(send)
            if established is not None:
                self.trouble = None
                return established
            resumed = self._handshakes.resuming
            self._handshakes.failed()
            if self._unheard:
                unheard()
            if not resumed:
                failed()
                await self._pause()

    async def _attempt(self, send: Callable[[bytes], Awaitable[None]]) -> Established | None:
        try:
            frame = await self._handshakes.ask()
        except LocalError as error:
            self._note(f"no session can be asked for: {error}")
            return None
        self._unheard = False
        sends = turns = 0
        while sends < SENDS:
            await send(frame)
            outcome = await self._answer(self._answer_s)
            if isinstance(outcome, Turn) and turns < MOST_TURNS:
                # Meanwhile the request may be answered after all; else it is sent again, unchanged.
                turns += 1
                outcome = await self._answer(outcome.wait_s)
            else:
                sends += 1
            if isinstance(outcome, Established):
                return outcome
            if outcome == "refused":
                return None
        self._unheard = True
        self._note("the controller does not answer")
        return None

    async def _answer(self, patience_s: float) -> Established | Turn | Literal["refused", "late"]:
        try:
            async with asyncio.timeout(patience_s):
                while True:
                    outcome = await self._judge(await self._frames.get())
                    if outcome is not None:
                        return outcome
        except TimeoutError:
            return "late"

    async def _judge(self, frame: door.Frame) -> Established | Turn | Literal["refused"] | None:
        try:
            if frame.kind is Kind.REFUSAL:
                return self._refusal(frames.read(frame.payload, frames.Refusal))
            return await self._handshakes.finish(frame.payload)
        except AnotherAnswer:
            return None
        except (sqlite3.OperationalError, OSError) as error:
            self._note(f"what a session rests on cannot be stored: {error}")
            return "refused"
        except RemoteError as error:
            self._note(f"an answer is not valid: {error}")
            return None

    def _refusal(self, refusal: frames.Refusal) -> Turn | Literal["refused"] | None:
        if not self._handshakes.refused(refusal):
            return None
        self._note(f"the controller refuses a session ({refusal.code}): {refusal.text}")
        if refusal.code == "rate" and refusal.after_ms:
            return Turn(min(refusal.after_ms / 1000, LONGEST_TURN_S))
        return "refused"

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

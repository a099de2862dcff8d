"""Listens for the leader and does what it asks."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable
from typing import NamedTuple

from qfleet_agent.delivery import callers
from qfleet_agent.errors import AgentError, KeyNotDelivered, RotationRefused, RotatorUnusable
from qfleet_agent.wireguard import follower, messages
from qfleet_agent.wireguard.delivery import Delivery
from qfleet_agent.wireguard.interface import Interface
from qfleet_agent.wireguard.settings import Address

_PATIENCE_S = 30.0
_BACKLOG = 8

log = logging.getLogger(__name__)


class Ends(NamedTuple):
    """What the follower has to do with; ``leader`` is the common name of the leader's certificate."""

    delivery: Delivery
    interface: Interface
    where: Address
    context: ssl.SSLContext
    leader: str


class Following:
    """Answers one question at a time."""

    def __init__(self, ends: Ends, tell: Callable[[str], None]) -> None:
        """``tell`` is told in one line how it goes."""
        self._ends = ends
        self._tell = tell
        self._decider = follower.Follower()
        self._turn = asyncio.Lock()
        self._server: asyncio.Server | None = None
        self._rotations = 0

    async def start(self) -> int:
        """Listen; return the port. Raises ``RotatorUnusable``."""
        ends = self._ends
        try:
            self._server = await asyncio.start_server(
                self._serve, *ends.where, ssl=ends.context, limit=messages.MOST_BYTES, backlog=_BACKLOG
            )
        except OSError as error:
            raise RotatorUnusable(
                f"cannot listen at {ends.where.host}:{ends.where.port}: {error}; set address in [line]"
            ) from error
        self._tell("no key has been rotated yet")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.wait_for(self._answer(reader, writer), _PATIENCE_S)
        except (OSError, ValueError, TimeoutError) as error:
            log.debug("A caller went away: %s", error)
        except RotationRefused as error:
            log.warning("%s", error, extra={"action": "rotation-refused"})
        finally:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = callers.sae_id(writer.get_extra_info("peercert"), "common-name")
        if name != self._ends.leader:
            raise RotationRefused(f"{name!r} asked for a rotation, and only {self._ends.leader!r} may")
        question = messages.question(await reader.readline())
        async with self._turn:
            answer = await self._answered(question)
        writer.write(messages.line(answer))
        await writer.drain()

    async def _answered(self, question: messages.Question) -> messages.Answer:
        while True:
            step = self._decider.step(question)
            try:
                match step:
                    case follower.Fetch(key_id):
                        self._decider.fetched(await asyncio.to_thread(self._ends.delivery.known, key_id))
                    case follower.Install(key):
                        await self._ends.interface.install(key)
                        self._decider.installed(key)
                        self._rotations += 1
                        log.info("This end has a new key.", extra={"action": "rotated"})
                        self._tell(f"{self._rotations} keys rotated")
                    case _:
                        return step
            except AgentError as error:
                log.warning("The last key stays: %s", error, extra={"action": "rotation-failed"})
                self._tell(f"the last key stays: {error}")
                for_good = isinstance(error, KeyNotDelivered) and error.for_good
                return messages.Lost(question.key_id) if for_good else messages.Later(question.key_id)

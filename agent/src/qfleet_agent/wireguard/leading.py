"""Does what the leader decides."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable
from typing import NamedTuple

from qfleet_agent.errors import AgentError, RotationRefused, RotatorSilent
from qfleet_agent.wireguard import leader, messages
from qfleet_agent.wireguard.delivery import Delivery
from qfleet_agent.wireguard.interface import Interface
from qfleet_agent.wireguard.settings import Address

_PATIENCE_S = 30.0
"""The follower asks its key delivery and its interface before it answers."""

_TROUBLE = {
    messages.Lost: "the follower does not have the key and cannot get it; another one is taken",
    messages.Later: "the follower could not do it now; its own log says why",
}

log = logging.getLogger(__name__)


class Ends(NamedTuple):
    """What the leader has to do with. ``clock`` gives seconds that only rise."""

    delivery: Delivery
    interface: Interface
    follower: Address
    context: ssl.SSLContext
    clock: Callable[[], float]


async def lead(decider: leader.Leader, ends: Ends, tell: Callable[[str], None]) -> None:
    """Rotate until cancelled; ``tell`` is told in one line how it goes."""
    trouble = ""
    tell("no key has been rotated yet")
    while True:
        step = decider.step(ends.clock())
        if isinstance(step, leader.Wait):
            await asyncio.sleep(max(0.0, step.until_s - ends.clock()))
            continue
        before = decider.rotations
        try:
            said = await _do(step, decider, ends)
        except AgentError as error:
            decider.failed(ends.clock())
            said = str(error)
        if said not in {"", trouble}:  # once, not at every try
            trouble = said
            log.warning("The last key stays: %s", said, extra={"action": "rotation-failed"})
            tell(f"the last key stays: {said}")
        if decider.rotations > before:
            trouble = ""
            log.info("Both ends have a new key.", extra={"action": "rotated"})
            tell(f"{decider.rotations} keys rotated")


async def _do(step: leader.Fetch | leader.Ask | leader.Install, decider: leader.Leader, ends: Ends) -> str:
    """Take a step; return why it led nowhere, or nothing."""
    match step:
        case leader.Fetch():
            decider.fetched(await asyncio.to_thread(ends.delivery.new))
        case leader.Install(key):
            await ends.interface.install(key)
            decider.installed(key)
        case leader.Ask(question):
            answer = await ask(question, ends)
            decider.heard(answer, ends.clock())
            return _TROUBLE.get(type(answer), "")
    return ""


async def ask(question: messages.Question, ends: Ends) -> messages.Answer:
    """Ask the follower over a connection of its own.

    Raises:
        RotatorSilent: it cannot be reached or does not answer.
        RotationRefused: it answers what is no answer.
    """
    where = f"{ends.follower.host}:{ends.follower.port}"
    try:
        text = await asyncio.wait_for(_exchange(messages.line(question), ends), _PATIENCE_S)
    except TimeoutError:
        raise RotatorSilent(f"the follower at {where} does not answer") from None
    except (OSError, ValueError) as error:
        raise RotatorSilent(f"the follower at {where} cannot be reached: {error}") from error
    if not text:
        raise RotationRefused(f"the follower at {where} hung up: it may not know this end's certificate")
    return messages.answer(text, question.key_id)


async def _exchange(line: bytes, ends: Ends) -> bytes:
    reader, writer = await asyncio.open_connection(
        *ends.follower, ssl=ends.context, limit=messages.MOST_BYTES
    )
    try:
        writer.write(line)
        await writer.drain()
        return await reader.readline()
    finally:
        writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            await writer.wait_closed()

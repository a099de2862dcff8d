"""A key process that does nothing but exchange numbered messages with one peer: ``STATE SOCKET PEER COUNT``.

It runs until it is killed, and writes a line of JSON for each event. Messages are ``LIFE:NUMBER``: a life
is one process of the sender between two cuts, so that a reader can tell what may be missing.
"""

import asyncio
import json
import secrets
import sys
from pathlib import Path
from typing import Any

from qfleet_agent.errors import PeerCut
from qfleet_agent.keylink.client import KeyLink
from qfleet_agent.peers.identity import Identity
from qfleet_agent.peers.line import Line
from qfleet_agent.peers.network import PeerNetwork
from qfleet_wire.names import DeviceName
from qfleet_wire.profile import Security


def say(event: str, **more: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, **more}) + "\n")
    sys.stdout.flush()


async def send(line: Line, count: int) -> None:
    start = secrets.token_hex(4)
    say("sends", life=start)
    for number in range(count):
        await line.send(f"{start}:{number}".encode())


async def converse(line: Line, count: int) -> None:
    """Send so many messages, and again after each cut; check that what comes is in order and each once."""
    life, expected = "", 0
    sending = asyncio.create_task(send(line, count))
    while True:
        try:
            start, _, number = (await line.receive()).decode().partition(":")
        except PeerCut:
            say("cut")
            sending.cancel()
            sending = asyncio.create_task(send(line, count))
            continue
        if start != life:
            life, expected = start, 0
        assert int(number) == expected, f"{number} came where {expected} was due"
        expected += 1
        if expected in {1, count // 10}:
            say("read", number=expected)
        if expected == count:
            say("done", life=life)


async def main(state: str, socket: str, peer: str, count: str) -> None:
    link = KeyLink(Path(socket))
    identity = Identity(Path(state))
    network = PeerNetwork(link, lambda: identity.own, Security())
    async with asyncio.TaskGroup() as group:
        group.create_task(link.run())
        group.create_task(converse(network.connect(DeviceName(peer)), int(count)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

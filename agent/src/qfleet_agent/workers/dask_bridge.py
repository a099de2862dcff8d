"""The process between the agent and a Dask cluster: frames on one side, ``distributed.Client`` on the other.

Started as ``python -P -m qfleet_agent.workers.dask_bridge PARENT`` with a stream socket as standard
input. What a cluster sends is unpickled here, so that this process holds no key and reads no file of
the agent's. It loads Dask only once a scheduler listens, and ends when it loses the scheduler: the
agent starts another, which waits again.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from pathlib import Path

import msgspec

from qfleet_agent.workers import frames, limits
from qfleet_agent.workers.bridge_frames import Connect, Down, Trouble
from qfleet_agent.workers.errors import ClusterLost

RETRY_S = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Wait between attempts to reach the scheduler; the last one stays."""
KNOCK_S = 5.0


async def serve(link: socket.socket) -> None:
    """Wait for the scheduler, carry tasks to and fro, end when it is gone."""
    reader, writer = await asyncio.open_unix_connection(sock=link)
    splitter: frames.Splitter[Down] = frames.Splitter(Down)  # type: ignore[arg-type] # a union of structs
    first = await _first(reader, splitter)
    await _listening(first, writer)
    # Most of a second and forty megabytes: not while there is no cluster.
    from qfleet_agent.workers import dask_carrier  # noqa: PLC0415

    try:
        await dask_carrier.carry(first, reader, writer, splitter)
    except ClusterLost as error:
        writer.write(frames.encode(Trouble(str(error))))
        await writer.drain()


async def _first(reader: asyncio.StreamReader, splitter: "frames.Splitter[Down]") -> Connect:
    while data := await reader.read(4096):
        for frame in splitter.feed(data):
            assert isinstance(frame, Connect), "the agent says first where the scheduler is"
            return frame
    raise ConnectionError("the agent has gone")


async def _listening(wanted: Connect, writer: asyncio.StreamWriter) -> None:
    """Return when something listens at the scheduler's address."""
    attempt, told = 0, ""
    while True:
        try:
            await _knock(_address(wanted))
        except (OSError, TimeoutError, ValueError) as error:
            text = f"no scheduler at {wanted.name}: {error or 'no answer'}"
            if text != told:
                writer.write(frames.encode(Trouble(text)))
                told = text
            await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
            attempt += 1
        else:
            return


def _address(wanted: Connect) -> str:
    if wanted.address:
        return wanted.address
    try:
        read = msgspec.json.decode(Path(wanted.scheduler_file).read_bytes(), type=dict[str, object])
        return str(read["address"])
    except (msgspec.MsgspecError, KeyError) as error:
        raise ValueError(f"the scheduler file cannot be read: {error}") from error


async def _knock(address: str) -> None:
    host, _, port = address.partition("://")[2].rpartition(":")
    async with asyncio.timeout(KNOCK_S):
        _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    writer.close()


def main() -> None:
    """Settle under the limits and serve."""
    limits.die_with(int(sys.argv[1]))
    for number in (signal.SIGINT, signal.SIGTERM):  # a stop of the whole unit is the agent's to handle
        signal.signal(number, signal.SIG_IGN)
    limits.settle(open_files=limits.BRIDGE_OPEN_FILES)
    link = socket.socket(fileno=os.dup(0))
    link.setblocking(False)  # noqa: FBT003 - the standard library's signature
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a descriptor is wanted
        os.dup2(nothing.fileno(), 0)
    asyncio.run(serve(link))


if __name__ == "__main__":
    with contextlib.suppress(ConnectionError):
        main()

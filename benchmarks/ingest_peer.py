"""The peer of the ingest figure: a bare aiomqtt subscriber that only counts, in a process of its own.

It reads where to connect as one line of JSON from standard input, and writes its count whenever it is
asked by another line, until standard input ends.
"""

import asyncio
import sys

import aiomqtt
import msgspec


class Address(msgspec.Struct, frozen=True):
    """Where the broker is, and what to count there."""

    host: str
    port: int
    user: str
    password: str
    topic: str


async def main() -> None:
    """Count messages at QoS 0 until nobody asks any more."""
    loop = asyncio.get_running_loop()
    asked = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(asked), sys.stdin)
    address = msgspec.json.decode(await asked.readline(), type=Address)
    count = 0

    async def counting(client: aiomqtt.Client) -> None:
        nonlocal count
        async for _ in client.messages:
            count += 1

    async with aiomqtt.Client(
        address.host,
        address.port,
        username=address.user or None,
        password=address.password or None,
        identifier="bare-subscriber",
        protocol=aiomqtt.ProtocolVersion.V311,
    ) as client:
        await client.subscribe(address.topic, qos=0)
        task = asyncio.create_task(counting(client))
        while await asked.readline():
            sys.stdout.write(f"{count}\n")
            sys.stdout.flush()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main())

"""The socket between daemon and key process: who is served, what passes, and what is dropped."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from qfleet_agent.errors import KeyLinkClosed, KeyLinkInvalid
from qfleet_agent.keylink import protocol, server
from qfleet_agent.keylink.client import Ears, KeyLink
from qfleet_agent.keylink.protocol import (
    FromKeys,
    Incoming,
    NotSent,
    Order,
    OrderTaken,
    Outgoing,
    Report,
    ReportStored,
    Welcome,
)
from qfleet_agent.keylink.server import Host, KeySocket
from qfleet_agent.link.outgoing import PEER_BYTES
from qfleet_agent.link.outgoing import Outgoing as Line
from qfleet_wire import payloads
from qfleet_wire.channel.initiator import Standing
from qfleet_wire.limits import LIMITS
from qfleet_wire.names import DeviceName, FleetName, Millis, RegionName

T = TypeVar("T")
BOB = DeviceName("bob")
STANDING = Standing(Millis(7), b"list", 3)
PATIENCE_S = 15.0


class Daemon:
    """The daemon's end, and all that came to it."""

    def __init__(self, path: Path) -> None:
        self.online = True
        self.came: asyncio.Queue[FromKeys] = asyncio.Queue()
        self.socket = KeySocket(path, Host(self.welcome, self.came.put_nowait))

    def welcome(self) -> Welcome:
        names = FleetName("aurora"), RegionName("north"), DeviceName("alice")
        return Welcome(protocol.VERSION, *names, STANDING, self.online)


class Keys:
    """The key process's end, and all that it was told."""

    def __init__(self, path: Path) -> None:
        self.link = KeyLink(path)
        self.incoming: asyncio.Queue[tuple[DeviceName, bytes]] = asyncio.Queue()
        self.not_sent: asyncio.Queue[NotSent] = asyncio.Queue()
        self.orders: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self.changed = asyncio.Event()
        self.link.listen(
            Ears(
                lambda peer, body: self.incoming.put_nowait((peer, body)),
                self.not_sent.put_nowait,
                lambda name, body: self.orders.put_nowait((name, body)),
                self.changed.set,
            )
        )

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                self.changed.clear()
                await self.changed.wait()


@contextlib.asynccontextmanager
async def running(*work: object) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(one) for one in work]  # type: ignore[call-overload]  # coroutines, all of them
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def soon(queue: "asyncio.Queue[T]") -> T:
    async with asyncio.timeout(PATIENCE_S):
        return await queue.get()


def test_a_key_process_learns_who_the_device_is_and_bodies_orders_and_reports_pass(tmp_path: Path) -> None:
    async def scenario() -> None:
        daemon, keys = Daemon(tmp_path / "s"), Keys(tmp_path / "s")
        with pytest.raises(KeyLinkClosed):
            assert keys.link.standing
        assert not keys.link.send(BOB, b"nobody is there", 1)
        async with running(daemon.socket.run(), keys.link.run()):
            await keys.until(lambda: keys.link.online)
            assert keys.link.welcome == daemon.welcome()
            assert keys.link.send(BOB, b"sealed", 5)
            assert await soon(daemon.came) == Outgoing("bob", b"sealed", 5)
            daemon.socket.tell(Incoming(BOB, b"answer"))
            assert await soon(keys.incoming) == (BOB, b"answer")
            refused = NotSent(BOB, 5, "away", "no session")
            daemon.socket.tell(refused)
            assert await soon(keys.not_sent) == refused
            daemon.socket.tell(Order("o1", b"begin"))
            assert await soon(keys.orders) == ("o1", b"begin")
            keys.link.taken("o1")
            assert await soon(daemon.came) == OrderTaken("o1")
            reporting = asyncio.create_task(keys.link.report("r1", b"made"))
            assert await soon(daemon.came) == Report("r1", b"made")
            daemon.socket.changed(Standing(Millis(9), b"newer", 4), online=False)
            await keys.until(lambda: not keys.link.online)
            assert keys.link.standing.revocations == b"newer"
            daemon.socket.changed(STANDING, online=True)
            assert await soon(daemon.came) == Report("r1", b"made"), "not stored yet: said again"
            daemon.socket.tell(ReportStored("r1"))
            async with asyncio.timeout(PATIENCE_S):
                await reporting

    asyncio.run(scenario())


def test_one_key_process_at_a_time_and_the_next_when_it_has_gone(tmp_path: Path) -> None:
    async def scenario() -> None:
        daemon, first, second = Daemon(tmp_path / "s"), Keys(tmp_path / "s"), Keys(tmp_path / "s")
        async with running(daemon.socket.run()):
            async with running(first.link.run()):
                await first.until(lambda: first.link.online)
                async with running(second.link.run()):
                    await second.until(lambda: "another key process" in (second.link.trouble or ""))
                    assert first.link.online
            async with running(second.link.run()):
                await second.until(lambda: second.link.online)

    asyncio.run(scenario())


def test_what_the_key_process_does_not_read_is_dropped_and_counted(tmp_path: Path) -> None:
    async def scenario() -> None:
        daemon = Daemon(tmp_path / "s")
        assert not daemon.socket.tell(Incoming(BOB, b"nobody"))
        async with running(daemon.socket.run()):
            reader, writer = await _open(tmp_path / "s")
            await reader.readexactly(4)
            body = bytes(LIMITS.peer_bytes)
            told = [daemon.socket.tell(Incoming(BOB, body)) for _ in range(200)]
            assert told[0]
            assert not told[-1]
            assert sum(told) * LIMITS.peer_bytes <= 2 * server.MOST_UNREAD
            writer.close()
        assert daemon.socket.dropped == {"no-key-process": 1, "not-read": told.count(False)}

    asyncio.run(scenario())


async def _open(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(OSError):
                return await asyncio.open_unix_connection(path)
            await asyncio.sleep(0)


def test_a_path_that_no_socket_can_have_leaves_the_daemon_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        daemon = Daemon(tmp_path / ("x" * 120))
        async with running(daemon.socket.run()):
            while not caplog.records:  # noqa: ASYNC110 - a log offers no event
                await asyncio.sleep(0)

    asyncio.run(scenario())
    assert "set keys_socket to a shorter one" in caplog.text


@pytest.mark.parametrize(
    "frame",
    [
        Outgoing("", b"x", 1),
        Outgoing("bob", bytes(LIMITS.peer_bytes + 1), 1),
        Report("r", bytes(LIMITS.key_body_bytes + 1)),
        Report("n" * 65, b"x"),
        Incoming(BOB, b"the daemon's own word"),
    ],
)
def test_what_is_over_a_limit_or_not_a_key_processs_to_say_is_no_frame(frame: FromKeys) -> None:
    with pytest.raises(KeyLinkInvalid):
        list(protocol.key_frames().feed(protocol.encode(frame)))


def test_bodies_for_other_devices_wait_in_a_bounded_line() -> None:
    line, body = Line(), bytes(LIMITS.peer_bytes)
    added = [line.add_for_peer(payloads.ToPeer(BOB, body, number)) for number in range(100)]
    assert added.count(True) == PEER_BYTES // LIMITS.peer_bytes
    assert len(line.take_payloads(10, 1 << 30)) == 10
    assert line.add_for_peer(payloads.ToPeer(BOB, body))
    line.clear()
    assert line.add_for_peer(payloads.ToPeer(BOB, body))

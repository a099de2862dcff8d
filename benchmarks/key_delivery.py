"""``enc_keys`` requests per second over TLS with keep-alive, and how long one takes.

Two key deliveries run as they do on two devices, each a process bound to one core, with the whole
path: TLS 1.3 with client certificates, a durable commit here, an announcement, a durable commit at
the peer, the answer. The peer and the clients share the other core; the processor time that the
serving process took for each request is measured too, since it depends less on what else runs.
"""

import asyncio
import itertools
import os
import ssl
import statistics
import tempfile
import time
from pathlib import Path

import psutil
from benchmarks.figures import Figure, number, spread
from tests.integration import key_processes
from tests.integration.key_processes import Served

CONNECTIONS = 64
TURNS = 5
TURN_S = 2.0
WARM_UP_S = 1.0
GOAL = 1000
MATERIAL_BYTES = 8_000_000


def run() -> list[Figure]:
    """Measure turns of ``TURN_S`` seconds with ``CONNECTIONS`` connections, and with one."""
    with tempfile.TemporaryDirectory(prefix="qfleet-") as folder:
        left, right = map(key_processes.serve, key_processes.prepare(Path(folder), size=MATERIAL_BYTES))
        try:
            _bind(left.process.pid, 0)
            _bind(right.process.pid, 1)
            _bind(os.getpid(), 1)
            many = asyncio.run(_measure(left, CONNECTIONS))
            one = asyncio.run(_measure(left, 1))
        finally:
            os.sched_setaffinity(0, range(os.cpu_count() or 1))
            left.stop()
            right.stop()
    return [_rate(many), _processor(many), _quantile(many, CONNECTIONS), _quantile(one, 1)]


class _Turn:
    def __init__(self) -> None:
        self.durations: list[float] = []
        self.elapsed = 0.0
        self.processor = 0.0

    @property
    def rate(self) -> float:
        return len(self.durations) / self.elapsed


def _rate(turns: list[_Turn]) -> Figure:
    rates = spread([turn.rate for turn in turns])
    return Figure(
        what=f"`enc_keys` over TLS, {CONNECTIONS} connections, one core",
        ours=rates.text("requests/s"),
        goal=f"≥ {GOAL:,}/s",
        met=rates.median >= GOAL,
    )


def _processor(turns: list[_Turn]) -> Figure:
    spent = spread([1000 * turn.processor / len(turn.durations) for turn in turns])
    return Figure(
        what="processor time of the serving process for one `enc_keys`",
        ours=f"{spent.text('ms')}: {number(1000 / spent.median)} requests per core second",
    )


def _quantile(turns: list[_Turn], connections: int) -> Figure:
    of = {
        percent: spread(
            [
                1000 * statistics.quantiles(turn.durations, n=100, method="inclusive")[percent - 1]
                for turn in turns
            ]
        )
        for percent in (50, 99)
    }
    words = "1 connection" if connections == 1 else f"{connections} connections"
    return Figure(
        what=f"`enc_keys` over TLS, {words}: p50, p99", ours=f"{of[50].text('ms')}, {of[99].text('ms')}"
    )


async def _measure(served: Served, connections: int) -> list[_Turn]:
    clients = [await _Client.connect(served) for _ in range(connections)]
    await _turn(served, clients, WARM_UP_S)
    turns = [await _turn(served, clients, TURN_S) for _ in range(TURNS)]
    for client in clients:
        await client.close()
    return turns


async def _turn(served: Served, clients: "list[_Client]", seconds: float) -> _Turn:
    turn, process = _Turn(), psutil.Process(served.process.pid)
    before, began = _processor_s(process), time.perf_counter()
    ends = began + seconds
    await asyncio.gather(*(client.ask_until(ends, turn.durations) for client in clients))
    turn.elapsed = time.perf_counter() - began
    turn.processor = _processor_s(process) - before
    return turn


def _processor_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _bind(pid: int, core: int) -> None:
    cores = sorted(os.sched_getaffinity(0) | {0})
    for task in psutil.Process(pid).threads():
        os.sched_setaffinity(task.id, {cores[core % len(cores)]})


class _Client:
    """One connection of the application ``alice``."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, served: Served) -> "_Client":
        folder = served.site.certificates
        trust = ssl.create_default_context(cafile=folder / "ca.crt")
        trust.load_cert_chain(folder / "alice.crt", folder / "alice.key")
        return cls(*await asyncio.open_connection("127.0.0.1", served.port, ssl=trust))

    async def ask_until(self, ends: float, durations: list[float]) -> None:
        """Ask one request after the other."""
        for _ in itertools.count():
            begin = time.perf_counter()
            if begin >= ends:
                return
            self._writer.write(b"GET /api/v1/keys/bob/enc_keys HTTP/1.1\r\nHost: localhost\r\n\r\n")
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            await self._reader.readexactly(length)
            if b" 200 " not in head[:16]:
                raise RuntimeError(head.decode())
            durations.append(time.perf_counter() - begin)

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()

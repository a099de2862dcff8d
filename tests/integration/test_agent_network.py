"""Booted without a network, in 1970: the agent is ready, works on, and connects when the network comes.

In a network namespace of its own, which needs root and iproute2.
"""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.integration.agent_controller import PATIENCE_S, FakeController, configure, echo
from tests.integration.agent_power import build
from tests.integration.test_agent_daemon import add, enrol, stop

from qfleet_agent.clock import RELEASED
from qfleet_agent.journal import journal
from qfleet_agent.journal.store import Store
from qfleet_agent.machine import effects
from qfleet_wire import codec, payloads

BASE_S = 3.0


@dataclass(frozen=True)
class Space:
    """A network namespace and the two ends of its only cable, which is not plugged in yet."""

    name: str
    outer: str
    inner: str
    address: str

    def ip(self, *arguments: str) -> None:
        subprocess.run(["/usr/bin/env", "ip", "-n", self.name, *arguments], check=True, capture_output=True)

    def plug_in(self) -> None:
        subprocess.run(
            ["/usr/bin/env", "ip", "link", "set", self.outer, "up"], check=True, capture_output=True
        )
        self.ip("link", "set", self.inner, "up")
        self.ip("address", "add", f"{self.address.rpartition('.')[0]}.2/30", "dev", self.inner)


@pytest.fixture
def space() -> Iterator[Space]:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("a network namespace needs root and iproute2")
    number = os.getpid() % 60_000
    made = Space(
        f"qfleet-{number}", f"qfo{number}", f"qfi{number}", f"10.{200 + number % 50}.{number // 50 % 250}.1"
    )
    commands = [
        f"netns add {made.name}",
        f"link add {made.outer} type veth peer name {made.inner} netns {made.name}",
        f"address add {made.address}/30 dev {made.outer}",
    ]
    try:
        for command in commands:
            done = subprocess.run(["/usr/bin/env", "ip", *command.split()], check=False, capture_output=True)
            if done.returncode:
                pytest.skip(f"no network namespace here: {done.stderr.decode().strip()}")
        yield made
    finally:
        for command in (f"link delete {made.outer}", f"netns delete {made.name}"):
            subprocess.run(["/usr/bin/env", "ip", *command.split()], check=False, capture_output=True)


@contextlib.asynccontextmanager
async def relay(broker: str, address: str) -> AsyncIterator[int]:
    """Let the broker of a Unix socket be reached over TCP; gives the port."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_unix_connection(broker.removeprefix("unix://"))
        await asyncio.gather(carry(reader, ours), carry(theirs, writer))

    server = await asyncio.start_server(connect, address, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def results_in(path: Path, count: int) -> None:
    """Wait until the journal holds so many results."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            store = Store(path)
            held = len(store.load().results)
            store.close()
            if held == count:
                return
            await asyncio.sleep(0.05)


async def said(line: socket.socket, word: bytes) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while word not in await asyncio.get_running_loop().sock_recv(line, 4096):
            pass


def test_without_a_network_in_1970_it_works_on_and_connects_when_one_comes(
    mosquitto: str, space: Space, tmp_path: Path
) -> None:
    config = configure(tmp_path)
    text = config.read_text().replace("reconnect_base_s = 0.2", f"reconnect_base_s = {BASE_S}")
    config.write_text(text.replace("reconnect_most_s = 1.0", "reconnect_most_s = 120.0"))
    path, library = journal.path_in(tmp_path / "state"), build(tmp_path)
    line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    line.bind(str(tmp_path / "notify.sock"))
    line.setblocking(False)  # noqa: FBT003  # the standard library's own signature

    async def scenario() -> None:
        async with FakeController(mosquitto).running() as controller, relay(mosquitto, space.address) as port:
            await enrol(controller, config)
            store = Store(path)
            for number in range(3):
                task = echo(f"t{number}")
                store.write([effects.SaveTask(1, (task.task, 1), codec.encode(task))])
            store.close()
            add(config, f'broker = "mqtt://{space.address}:{port}"')
            environment = {
                **os.environ,
                "NOTIFY_SOCKET": str(tmp_path / "notify.sock"),
                "LD_PRELOAD": str(library),
                "TIME_SHIFT": str(60 - int(time.time())),
            }
            with (tmp_path / "agent.log").open("wb") as log:
                process = await asyncio.create_subprocess_exec(
                    *("/usr/bin/env", "ip", "netns", "exec", space.name),
                    *(sys.executable, "-m", "qfleet_agent", "run", "--config", str(config)),
                    stdout=log,
                    stderr=log,
                    env=environment,
                )
            try:
                await said(line, b"READY=1")
                await results_in(path, 3)
                assert not controller.items
                space.plug_in()
                held = await controller.item(payloads.Inventory)
                assert {task for task, _ in held.finished} == {"t0", "t1", "t2"}
                for number in range(3):
                    assert (await controller.result(f"t{number}")).outcome == "succeeded"
                assert (await controller.item(payloads.Heartbeat)).sent >= RELEASED
                written = (tmp_path / "agent.log").read_text()
                assert "1970-01-01" in written
                assert "The network came up" in written
                assert await stop(process) == 0
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()

    try:
        asyncio.run(scenario())
    finally:
        line.close()

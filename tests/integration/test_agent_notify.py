"""systemd's view of the agent, over a real datagram socket."""

import asyncio
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.agent_controller import PATIENCE_S, FakeController, configure
from tests.integration.test_agent_daemon import add, enrol, stop

from qfleet_agent.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def line(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    name = str(tmp_path / "notify.sock") if request.param == "path" else f"@qfleet-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0" + name[1:] if name.startswith("@") else name)
        receiver.settimeout(PATIENCE_S)
        yield receiver, name


def test_each_message_reaches_systemd(line: tuple[socket.socket, str]) -> None:
    receiver, name = line
    notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "3000000"})
    notifier.ready("here")
    assert receiver.recv(1000) == b"READY=1\nSTATUS=here"
    notifier.alive()
    assert receiver.recv(1000) == b"WATCHDOG=1"
    notifier.status("busy")
    assert receiver.recv(1000) == b"STATUS=busy"
    notifier.stopping()
    assert receiver.recv(1000) == b"STOPPING=1"
    assert notifier.watchdog_s == 1.5


@pytest.mark.parametrize(
    ("environment", "watchdog"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "1000000"}, None),
        ({"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "0"}, None),
        ({"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "many"}, None),
        ({"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}, None),
        ({"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "1000000"}, 0.5),
    ],
)
def test_nothing_is_said_where_nobody_listens(environment: dict[str, str], watchdog: float | None) -> None:
    notifier = Notifier(environment)
    notifier.ready("here")
    notifier.alive()
    assert notifier.watchdog_s == watchdog


def test_the_daemon_is_ready_without_a_network_feeds_the_watchdog_and_says_that_it_stops(
    mosquitto: str, tmp_path: Path, line: tuple[socket.socket, str]
) -> None:
    receiver, name = line
    config = configure(tmp_path)

    async def scenario() -> list[bytes]:
        async with FakeController(mosquitto).running() as controller:
            await enrol(controller, config)
        add(config, 'broker = "unix:///nowhere/broker.sock"')
        environment = {**os.environ, "NOTIFY_SOCKET": name, "WATCHDOG_USEC": "200000"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "qfleet_agent", "run", "--config", str(config),
            env=environment, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        said: list[bytes] = []
        try:
            while said.count(b"WATCHDOG=1") < 3 or not any(one.startswith(b"READY=1") for one in said):
                said.append(await asyncio.to_thread(receiver.recv, 1000))
            assert await stop(process) == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        receiver.settimeout(0)
        try:
            while True:
                said.append(receiver.recv(1000))
        except BlockingIOError:
            return said

    said = asyncio.run(scenario())
    assert b"STOPPING=1" in said
    assert any(one.startswith(b"STATUS=not connected") for one in said)

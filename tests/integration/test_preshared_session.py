"""Pre-shared keys between real processes: demanded by a profile, used once, never shown."""

import asyncio
import json
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.integration.agent_controller import PATIENCE_S, FakeController, configure, echo
from tests.system.fleet import CONTROL_PLANE, LocalFleet

from qfleet import Fleet
from qfleet_wire import codec, payloads
from qfleet_wire.api import EchoResultView, JobRequest
from qfleet_wire.channel import invitation
from qfleet_wire.channel.preshared import PresharedKey, Ring
from qfleet_wire.workload import EchoResult

COMMAND = [sys.executable, "-m", "qfleet_agent"]
GENERIC = Path(__file__).parents[2] / "firmware_profiles" / "generic.toml"
HEARTBEAT = "heartbeat_s = 30"
POLL_S = 0.02


def demanding(folder: Path) -> Path:
    """Write a folder with one profile: the generic one, which now requires a pre-shared key."""
    profiles = folder / "profiles"
    profiles.mkdir()
    text = GENERIC.read_text()
    assert HEARTBEAT in text
    text = text.replace(HEARTBEAT, "heartbeat_s = 1") + "\n[security]\nrequire_preshared_key = true\n"
    (profiles / "generic.toml").write_text(text)
    return profiles


def some_keys(count: int) -> tuple[PresharedKey, ...]:
    return tuple(PresharedKey(f"key-{number}", secrets.token_bytes(32)) for number in range(count))


def write_keys(path: Path, keys: Sequence[PresharedKey]) -> Path:
    path.write_text("".join(f"{key.id} {key.key.hex()}\n" for key in keys))
    path.chmod(0o400)
    return path


def reveal(text: str, keys: Sequence[PresharedKey]) -> list[str]:
    """Return the ids of keys that stand in a text, as digits in either case or as Python's bytes."""
    spellings = {key.id: (key.key.hex(), key.key.hex().upper(), repr(key.key)[2:-1]) for key in keys}
    return [name for name, forms in spellings.items() if any(form in text for form in forms)]


class Device:
    """An agent with its own process, settings, log and status file."""

    def __init__(self, folder: Path) -> None:
        self.config = configure(folder)
        self.set(f'profiles_dir = "{demanding(folder)}"')
        self._log = folder / "agent.log"
        self._status = folder / "state" / "status.json"

    def set(self, line: str) -> None:
        """Put a line before the first table of the configuration."""
        self.config.write_text(f"{line}\n{self.config.read_text()}")

    @property
    def logged(self) -> str:
        """All that it has written to its log."""
        return self._log.read_text()

    @property
    def said(self) -> str:
        """Its log and its status file."""
        return self.logged + (self._status.read_text() if self._status.exists() else "")

    def trouble(self) -> str | None:
        if not self._status.exists():
            return None
        status: dict[str, Any] = json.loads(self._status.read_text())
        assert not status["online"]
        found: str | None = status["trouble"]
        return found

    async def enrol(self, controller: FakeController) -> None:
        done = await asyncio.to_thread(
            subprocess.run,
            [*COMMAND, "enrol", "--config", str(self.config)],
            input=invitation.write(controller.token),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run the daemon, and stop it in good order at the end unless it has ended by itself."""
        self._status.unlink(missing_ok=True)
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *COMMAND, "run", "--config", str(self.config), stdout=log, stderr=log
            )
        try:
            yield process
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                async with asyncio.timeout(PATIENCE_S):
                    assert await process.wait() == 0, self.said[-2000:]
        finally:
            if process.returncode is None:
                process.kill()
                async with asyncio.timeout(PATIENCE_S):
                    await process.wait()


async def eventually(holds: Callable[[], bool], device: Device) -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if holds():
                    return
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        pytest.fail(f"it did not come about; the agent said:\n{device.said[-3000:]}")


async def echoes(controller: FakeController, task: str) -> None:
    """Wait for the session, and have a task answered over it."""
    seen = len(controller.items)
    await controller.item(payloads.Inventory, after=seen)
    await controller.send(echo(task))
    result = await controller.result(task)
    assert result.outcome == "succeeded", result.error
    assert codec.decode(result.body, EchoResult).data == b"hello"
    await controller.acknowledge((task, 1))


def demand(controller: FakeController, keys: Sequence[PresharedKey], *, used: Sequence[str] = ()) -> None:
    controller.end.require_preshared = True
    controller.end.ring = Ring(keys, used)


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


def test_without_the_key_that_its_profile_requires_it_asks_for_no_session_and_says_why(
    mosquitto: str, device: Device
) -> None:
    async def scenario() -> None:
        async with FakeController(mosquitto).running() as controller:
            await device.enrol(controller)
            async with device.running():
                await eventually(lambda: device.trouble() is not None, device)
                trouble = device.trouble()
                assert trouble is not None
                assert "requires a pre-shared key" in trouble
            assert trouble in device.logged
            assert controller.handshakes == []  # the controller was not even asked
            assert controller.items == []
            assert controller.token.secret.decode() not in device.said

    asyncio.run(scenario())


def test_a_damaged_key_file_ends_the_agent_without_showing_it(mosquitto: str, device: Device) -> None:
    async def scenario() -> None:
        good, damaged = some_keys(2)
        file = write_keys(device.config.with_name("damaged.keys"), [good])
        file.chmod(0o600)
        with file.open("a") as lines:
            lines.write(f"{damaged.id} {damaged.key.hex()}zz\n")
        async with FakeController(mosquitto).running() as controller:
            await device.enrol(controller)
            device.set(f'preshared_key_file = "{file}"')
            async with device.running() as process, asyncio.timeout(PATIENCE_S):
                assert await process.wait() != 0
            assert "pre-shared key file, line 2" in device.said
            assert "Traceback" not in device.said
            assert reveal(device.said, (good, damaged)) == []

    asyncio.run(scenario())


def test_each_full_handshake_takes_the_next_key_until_none_is_left(mosquitto: str, device: Device) -> None:
    async def scenario() -> None:
        keys = some_keys(2)
        device.set(f'preshared_key_file = "{write_keys(device.config.with_name("psk.keys"), keys)}"')
        async with FakeController(mosquitto).running() as controller:
            await device.enrol(controller)
            demand(controller, keys)
            async with device.running():
                await echoes(controller, "first")
            assert controller.end.ring.used == {"key-0"}
            async with device.running():  # a resumption descends from the key and needs no other
                await echoes(controller, "resumed")
            assert controller.end.ring.used == {"key-0"}
            controller.end.records.clear()
            async with device.running():
                await echoes(controller, "second")
            assert controller.end.ring.used == {"key-0", "key-1"}
            controller.end.records.clear()
            async with device.running():
                await eventually(lambda: "pre-shared key" in (device.trouble() or ""), device)
            assert controller.handshakes[:4] == ["full", "resumed", "refused", "full"]
            # Only resumptions are left, and it goes on trying: anyone can send a refusal.
            assert set(controller.handshakes[4:]) == {"refused"}
            assert reveal(device.said, keys) == []

    asyncio.run(scenario())


def test_a_key_that_has_served_is_refused_and_the_next_one_taken(mosquitto: str, device: Device) -> None:
    async def scenario() -> None:
        keys = some_keys(2)
        device.set(f'preshared_key_file = "{write_keys(device.config.with_name("psk.keys"), keys)}"')
        async with FakeController(mosquitto).running() as controller:
            await device.enrol(controller)
            demand(controller, keys, used=["key-0"])
            async with device.running():
                await echoes(controller, "t")
            assert controller.handshakes == ["refused", "full"]
            assert "'key-0' is unknown or has served" in device.said
            assert reveal(device.said, keys) == []

    asyncio.run(scenario())


class KeyedFleet(LocalFleet):
    """A fleet whose control plane and whose one device both demand a pre-shared key."""

    def __init__(self, directory: Path, keys: Sequence[PresharedKey]) -> None:
        file = write_keys(directory / "psk.keys", keys)
        settings = f'profiles_dir = "{demanding(directory)}"\npreshared_key_file = "{file}"\n'
        super().__init__(directory, agents=1, settings=settings)
        self._shared = directory / "preshared"
        self._shared.mkdir()
        write_keys(self._shared / f"{self.agents[0]}.keys", keys)

    def start_control_plane(self) -> None:
        """Demand the keys in its configuration, then start it."""
        config = self.directory / CONTROL_PLANE / "controlplane.toml"
        if "[security]" not in config.read_text():
            with config.open("a") as lines:
                lines.write(
                    f'\n[security]\nrequire_preshared_key = true\npreshared_directory = "{self._shared}"\n'
                )
        super().start_control_plane()


def echoes_through(client: Fleet) -> None:
    result = client.run(JobRequest(kind="probe.echo", items=1), timeout_s=PATIENCE_S)
    assert isinstance(result, EchoResultView)
    assert (result.status, result.items) == ("succeeded", 1)


def test_agent_and_control_plane_open_a_session_with_a_key_that_both_hold(tmp_path: Path) -> None:
    keys = some_keys(1)
    with KeyedFleet(tmp_path, keys) as fleet, fleet.connect() as client:
        (name,) = fleet.agents
        echoes_through(client)
        fleet.kill(name)
        fleet.start_agent(name)  # the only key has served: what opens is a resumption
        echoes_through(client)
        assert fleet.log(name).count("A session is open.") == 2
        assert reveal(fleet.log(name) + fleet.log(CONTROL_PLANE), keys) == []

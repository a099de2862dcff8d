"""A small disk that really fills: the agent stays, refuses, keeps its promises and recovers by itself."""

import asyncio
import ctypes
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests.integration.agent_controller import PATIENCE_S, FakeController, configure, echo
from tests.integration.test_agent_daemon import agent, enrol, stop

from qfleet_agent.facts import disk_free
from qfleet_agent.journal import journal
from qfleet_agent.journal.store import Store
from qfleet_agent.machine import effects
from qfleet_agent.machine.telemetry import KEPT_WHEN_FULL
from qfleet_wire import codec, payloads
from qfleet_wire.names import Millis

MIB = 1024 * 1024
DISK_MIB, RESERVE_MIB, TMPFS_MIB = 16, 4, 40
TASKS = 24
SAMPLES = 500
PROFILE = Path(__file__).parents[2] / "firmware_profiles" / "generic.toml"
_libc = ctypes.CDLL(None, use_errno=True)


def mount(folder: Path, mib: int) -> None:
    options = f"size={mib}m,mode=0700".encode()
    if _libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, options) != 0:
        pytest.skip(f"a file system of its own needs the right to mount: {os.strerror(ctypes.get_errno())}")


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    """An agent whose state lies on a file system of 40 MiB, with a beat every second."""
    path = configure(tmp_path)
    profiles = tmp_path / "profiles"
    profiles.mkdir()
    text = PROFILE.read_text()
    for key, value in {"disk_mib": DISK_MIB, "disk_reserve_mib": RESERVE_MIB, "heartbeat_s": 1}.items():
        text = re.sub(rf"^{key} = .*$", f"{key} = {value}", text, flags=re.MULTILINE)
    (profiles / "generic.toml").write_text(text)
    path.write_text(f'profiles_dir = "{profiles}"\n{path.read_text()}')
    state = tmp_path / "state"
    state.mkdir()
    mount(state, TMPFS_MIB)
    try:
        yield path
    finally:
        _libc.umount2(os.fsencode(state), 2)


def fill(config: Path, left: int) -> Path:
    """Take all but ``left`` bytes of the file system."""
    ballast = config.parent / "state" / "ballast"
    with suppress(OSError), ballast.open("ab") as file:  # on a full one not even a file can be made
        while (free := disk_free(config.parent / "state")) > left:
            file.write(bytes(min(max(free - left, 1), MIB // 4)))
            file.flush()
    return ballast


def sizes(config: Path) -> int:
    return sum(path.stat().st_size for path in (config.parent / "state").glob("journal.sqlite*"))


async def beat(controller: FakeController, holds: str) -> payloads.Heartbeat:
    """Wait for a heartbeat that comes from now on and of which ``holds`` is true."""
    seen = len(controller.items)

    def found() -> payloads.Heartbeat | None:
        beats = [one for one in controller.items[seen:] if isinstance(one, payloads.Heartbeat)]
        return next((one for one in beats if getattr(one, holds)), None)

    return await controller.until(found)


async def settled(
    controller: FakeController, *tasks: str
) -> dict[str, payloads.Refused | payloads.TaskResult]:
    """Wait until each task is refused or has a result."""

    def found() -> dict[str, payloads.Refused | payloads.TaskResult] | None:
        known: dict[str, payloads.Refused | payloads.TaskResult] = {
            one.task: one for one in controller.items if isinstance(one, payloads.Refused)
        } | {key[0]: result for key, result in controller.results.items()}
        return {task: known[task] for task in tasks} if set(tasks) <= known.keys() else None

    return await controller.until(found)


def test_the_journal_never_outgrows_its_cap_and_what_was_accepted_is_kept(
    mosquitto: str, config: Path
) -> None:
    async def scenario() -> None:
        async with FakeController(mosquitto).running() as controller:
            await enrol(controller, config)
            async with agent(config) as process:
                await controller.item(payloads.Inventory)
                names = [f"t{number}" for number in range(80)]
                for name in names:
                    await controller.send(echo(name, os.urandom(200_000)))
                    await settled(controller, name)
                ends = await settled(controller, *names)
                refused = [one for one in ends.values() if isinstance(one, payloads.Refused)]
                done = [one for one in ends.values() if isinstance(one, payloads.TaskResult)]
                assert refused
                assert {one.code for one in refused} == {"disk"}
                assert {one.outcome for one in done} == {"succeeded"}
                # Nearly all of what may be stored is stored, and no more.
                assert len(done) * 200_000 > (DISK_MIB - RESERVE_MIB) * MIB * 0.8
                assert sizes(config) <= DISK_MIB * MIB
                await controller.acknowledge(*((one.task, one.attempt) for one in done))
                await controller.until(
                    lambda: any(
                        isinstance(one, payloads.Heartbeat) and one.outbox == 0
                        for one in controller.items[-3:]
                    )
                )
                await controller.send(echo("after", os.urandom(200_000)))
                assert (await controller.result("after")).outcome == "succeeded"
                assert await stop(process) == 0

    asyncio.run(scenario())


def collect(config: Path) -> None:
    """Put telemetry into the journal, as a device that was offline for hours has it."""
    store = Store(journal.path_in(config.parent / "state"))
    samples = tuple(
        (number, codec.encode(payloads.Sample(number, Millis(1), 0.5, 1, 1, 0, 0, 0)))
        for number in range(1, SAMPLES + 1)
    )
    store.write(
        [effects.SaveTelemetry(1, samples, drop_to=0, next=SAMPLES + 1, reserved=SAMPLES + 1, lost=0)]
    )
    store.close()


def test_telemetry_goes_first_oldest_first_and_every_loss_is_counted(mosquitto: str, config: Path) -> None:
    async def scenario() -> None:
        async with FakeController(mosquitto).running() as controller:
            await enrol(controller, config)
            collect(config)
            async with agent(config) as process:
                first = await controller.item(payloads.Telemetry)
                assert (first.samples[0].sequence, first.lost) == (1, 0)
                fill(config, RESERVE_MIB * MIB // 2)
                lost = (await beat(controller, "telemetry_lost")).telemetry_lost
                assert SAMPLES - KEPT_WHEN_FULL <= lost <= SAMPLES
                await controller.send(echo("t"))
                refused = (await settled(controller, "t"))["t"]
                assert isinstance(refused, payloads.Refused)
                assert refused.code == "disk"
                assert "free" in refused.text
                # Nothing older than what was shed comes ever again.
                seen = len(controller.items)
                await controller.send(payloads.TelemetryAcknowledge(SAMPLES - KEPT_WHEN_FULL))
                (config.parent / "state" / "ballast").unlink()
                await beat(controller, "sent")
                await beat(controller, "sent")
                await controller.send(echo("again"))
                assert (await controller.result("again")).outcome == "succeeded"
                later = [one for one in controller.items[seen:] if isinstance(one, payloads.Telemetry)]
                numbers = {sample.sequence for one in later for sample in one.samples}
                assert min(numbers, default=SAMPLES) > SAMPLES - KEPT_WHEN_FULL
                assert await stop(process) == 0

    asyncio.run(scenario())


def promises(config: Path) -> list[str]:
    """The journal's unfinished tasks."""
    path = journal.path_in(config.parent / "state")
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
        return [row[0] for row in database.execute("SELECT task FROM tasks")]


async def take_on(controller: FakeController, names: list[str]) -> None:
    """Assign tasks with 200 kB each, and wait until all are accepted."""
    for name in names:
        await controller.send(echo(name, os.urandom(200_000)))

    def accepted() -> bool:
        known = {one.task for one in controller.items if isinstance(one, payloads.Accepted)}
        return known >= set(names)

    await controller.until(accepted)


def succeeded(ends: dict[str, payloads.Refused | payloads.TaskResult]) -> bool:
    return all(isinstance(one, payloads.TaskResult) and one.outcome == "succeeded" for one in ends.values())


def test_promises_are_kept_while_others_take_every_byte_of_the_disk(mosquitto: str, config: Path) -> None:
    async def scenario() -> None:
        async with FakeController(mosquitto).running() as controller:
            await enrol(controller, config)
            async with agent(config) as process:
                await controller.item(payloads.Inventory)
                names = [f"t{number}" for number in range(TASKS)]
                await take_on(controller, names)
                for name in names:
                    fill(config, 0)
                    assert succeeded(await settled(controller, name))
                fill(config, 0)
                assert not (await beat(controller, "sent")).journal_full
                await controller.send(echo("late"))
                refused = (await settled(controller, "late"))["late"]
                assert isinstance(refused, payloads.Refused)
                assert refused.code == "disk"
                (config.parent / "state" / "ballast").unlink()
                await beat(controller, "sent")
                await beat(controller, "sent")
                await controller.send(echo("after"))
                assert succeeded(await settled(controller, "after"))
                assert await stop(process) == 0

    asyncio.run(scenario())


def test_promises_outlive_a_kill_and_are_kept_on_a_disk_that_was_filled_meanwhile(
    mosquitto: str, config: Path
) -> None:
    async def scenario() -> None:
        async with FakeController(mosquitto).running() as controller:
            await enrol(controller, config)
            names = [f"t{number}" for number in range(TASKS)]
            async with agent(config) as process:
                await controller.item(payloads.Inventory)
                await take_on(controller, names)
                process.kill()
                await process.wait()
            unfinished = promises(config)
            assert len(unfinished) > TASKS // 2
            held = journal.reserve_in(config.parent / "state").stat().st_size
            assert held > RESERVE_MIB * MIB + 2 * 200_000 * len(unfinished)
            fill(config, 0)
            assert disk_free(config.parent / "state") == 0
            controller.results.clear()
            async with agent(config) as process:
                # Not a byte is free: what runs now is written to the room that was held for it.
                assert succeeded(await settled(controller, *names))
                assert await stop(process) == 0

    asyncio.run(scenario())


def test_on_a_disk_without_a_byte_the_agent_stays_and_loses_nothing(mosquitto: str, config: Path) -> None:
    async def scenario() -> None:
        async with FakeController(mosquitto).running() as controller:
            await enrol(controller, config)
            async with agent(config) as process:
                await controller.item(payloads.Inventory)
                names = [f"t{number}" for number in range(TASKS)]
                await take_on(controller, names)
                fill(config, 0)
                assert succeeded(await settled(controller, *names))
                ballast = fill(config, 0)
                await beat(controller, "sent")
                process.kill()
                await process.wait()
            seen, before = len(controller.items), dict(controller.results)
            controller.results.clear()
            async with agent(config) as process:
                # It may be that there is no room even to open the journal: then it waits for some.
                await asyncio.sleep(0)
                assert process.returncode is None
                ballast.unlink()
                held = await controller.item(payloads.Inventory, after=seen)
                assert set(held.finished) == before.keys()
                async with asyncio.timeout(PATIENCE_S):
                    for task, _ in before:
                        assert codec.encode(await controller.result(task)) == codec.encode(before[task, 1])
                await controller.send(echo("after"))
                assert (await controller.result("after")).outcome == "succeeded"
                assert await stop(process) == 0

    asyncio.run(scenario())

"""A device with two ways: the gateway of one is killed, it goes on over the other, and comes back."""

import asyncio
import os
import shutil
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.integration.agent_controller import PATIENCE_S, FakeController, configure, echo
from tests.integration.packaged_brokers import free_port
from tests.integration.test_agent_daemon import agent, call, enrol, stop

from qfleet_agent import status
from qfleet_wire import payloads, ways
from qfleet_wire.names import Millis
from qfleet_wire.ways import Window

SECONDS = 10.0
"""Goes on within so long: a lost connection is noticed at once, the spread over the next way is 40 ms."""
WAYS = """price_ms = 1000.0
settle_s = 1.0
probe_s = 0.2

[[link.ways]]
name = "cable"
class = "ethernet"
broker = "mqtt://127.0.0.1:{leaf}"

[[link.ways]]
name = "mobile"
class = "lte"
broker = "mqtt://127.0.0.1:{main}"
price_per_mb = 1.0
month_mb = 100
batch_ms = 20
stretch = 2
"""


@asynccontextmanager
async def mosquitto(folder: Path, name: str, lines: str, port: int) -> AsyncIterator[Process]:
    """A broker of its own, which a test may kill."""
    program = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
    if program is None:
        pytest.skip("Mosquitto is not installed: apt-get install mosquitto")
    path = folder / f"{name}.conf"
    root = "user root\n" if os.geteuid() == 0 else ""
    path.write_text(
        f"listener {port} 127.0.0.1\n{lines}allow_anonymous true\nset_tcp_nodelay true\n"
        f"persistence false\n{root}"
    )
    with (folder / f"{name}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(program, "-c", str(path), stderr=log, stdout=log)
    try:
        await listening(port)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def bridge(to: int) -> str:
    """A leaf that passes everything on to the region's broker, both ways."""
    return (
        f"connection up\naddress 127.0.0.1:{to}\ntopic # both 1\nbridge_protocol_version mqttv311\n"
        "try_private true\nrestart_timeout 1\nnotifications false\n"
    )


async def listening(port: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


async def over(controller: FakeController, name: str, after: int) -> ways.Way:
    """Wait until the device says that it has taken a way, after so many payloads."""

    def taken() -> ways.Way | None:
        told = [one for one in controller.items[after:] if isinstance(one, payloads.Announcement)]
        return next((one.way for one in told if one.way is not None and one.way.name == name), None)

    return await controller.until(taken)


def opened(controller: FakeController, window: Window) -> ways.Way | None:
    """The way that was told with this window open."""
    told = [one.way for one in controller.items if isinstance(one, payloads.Announcement)]
    return next((one for one in told if one is not None and one.contact == window), None)


async def run_again(controller: FakeController, tasks: set[str], after: int) -> None:
    """As the control plane does: what a new session's inventory lacks is assigned again."""
    told = await controller.item(payloads.Inventory, after)
    held = {task for task, _ in (*told.unfinished, *told.finished)}
    await controller.send(*(echo(task) for task in sorted(tasks - held)))


def test_a_killed_gateway_costs_seconds_and_no_task(tmp_path: Path) -> None:
    main_port, leaf_port, unix = free_port(), free_port(), tmp_path / "main.sock"
    config = configure(tmp_path)
    tasks = {f"t{number}" for number in range(6)}

    async def scenario() -> None:
        async with (
            mosquitto(tmp_path, "main", f"listener 0 {unix}\n", main_port),
            mosquitto(tmp_path, "leaf", bridge(main_port), leaf_port) as leaf,
            FakeController(f"unix://{unix}").running() as controller,
        ):
            await enrol(controller, config)
            config.write_text(config.read_text() + WAYS.format(leaf=leaf_port, main=main_port))
            code, out, _ = await call("check", "--config", config)
            assert code == 0, out
            assert "way cable" in out
            async with agent(config) as process:
                first = await over(controller, "cable", 0)
                assert (first.kind, first.gateway) == ("ethernet", f"127.0.0.1:{leaf_port}")
                assert first.latency_ms is not None
                assert (first.batch_ms, first.rhythm_ms, first.contact) == (0, 30_000, None)
                await controller.item(payloads.Inventory)
                await controller.send(*(echo(task) for task in sorted(tasks)))
                seen, begun = len(controller.items), time.monotonic()
                leaf.kill()
                second = await over(controller, "mobile", seen)
                assert time.monotonic() - begun < SECONDS
                assert (second.kind, second.batch_ms, second.rhythm_ms) == ("lte", 20, 60_000)
                await run_again(controller, tasks, seen)
                results = [await controller.result(task) for task in sorted(tasks)]
                assert {one.outcome for one in results} == {"succeeded"}
                hints = [
                    one
                    for one in controller.items[seen:]
                    if isinstance(one, (payloads.Started, payloads.Progress))
                ]
                assert not hints
                await controller.acknowledge(*((task, 1) for task in sorted(tasks)))
                told = status.read(tmp_path / "state")
                assert told is not None
                assert "mobile (lte)" in told.way
                seen = len(controller.items)
                async with mosquitto(tmp_path, "leaf", bridge(main_port), leaf_port):
                    await over(controller, "cable", seen)
                    await controller.item(payloads.Inventory, seen)
                    await controller.send(echo("last"))
                    assert (await controller.result("last")).outcome == "succeeded"
                    beat = await controller.item(payloads.Heartbeat, seen)
                    assert beat.latency_ms is not None
                    assert await stop(process) == 0

    asyncio.run(scenario())


def test_a_way_to_another_region_is_refused(tmp_path: Path) -> None:
    port, unix = free_port(), tmp_path / "main.sock"
    config = configure(tmp_path)

    async def scenario() -> None:
        async with (
            mosquitto(tmp_path, "main", f"listener 0 {unix}\n", port),
            FakeController(f"unix://{unix}").running() as controller,
        ):
            await enrol(controller, config)
            text = '\n[[link.ways]]\nname = "far"\nclass = "lte"\nregion = "elsewhere"\n'
            config.write_text(config.read_text() + text)
            code, _, err = await call("run", "--config", config)
            assert code == 78
            assert "way 'far' leads to region 'elsewhere'" in err
            assert "enrol the device anew" in err

    asyncio.run(scenario())


def test_a_satellite_is_spoken_over_in_its_windows_only(tmp_path: Path) -> None:
    port, unix = free_port(), tmp_path / "main.sock"
    config = configure(tmp_path)
    every_s, open_s = 2.5, 1.2

    async def scenario() -> None:
        async with (
            mosquitto(tmp_path, "main", f"listener 0 {unix}\n", port),
            FakeController(f"unix://{unix}").running() as controller,
        ):
            await enrol(controller, config)
            text = (
                f'\n[[link.ways]]\nname = "leo"\nclass = "satellite"\nbroker = "mqtt://127.0.0.1:{port}"\n'
                f"batch_ms = 50\ncontact = {{ first = 2026-01-01T00:00:00Z, every_s = {every_s}, "
                f"open_s = {open_s} }}\n"
            )
            config.write_text(config.read_text() + text)
            async with agent(config) as process:
                first = await over(controller, "leo", 0)
                await controller.item(payloads.Inventory)
                await controller.send(echo("t1"))
                seen = len(controller.items)
                second = await over(controller, "leo", seen)
                await run_again(controller, {"t1"}, seen)
                assert (await controller.result("t1")).outcome == "succeeded"
                assert await stop(process) == 0
            assert first.contact is not None
            assert second.contact is not None
            assert first.returns is not None
            assert (second.contact.opens - first.returns) % (every_s * 1000) == 0
            assert first.contact.opens <= first.since < first.contact.closes
            assert second.contact.opens <= second.since < second.contact.closes
            gap_ms = round((every_s - open_s) * 1000)
            assert first.rhythm_ms == gap_ms + 10 * 30_000
            assert "no way is there" in (tmp_path / "agent.log").read_text()

    asyncio.run(scenario())


def test_windows_that_are_left_to_a_plan_come_with_it_and_outlive_a_restart(tmp_path: Path) -> None:
    port, unix = free_port(), tmp_path / "main.sock"
    config = configure(tmp_path)

    async def scenario() -> None:
        async with (
            mosquitto(tmp_path, "main", f"listener 0 {unix}\n", port),
            FakeController(f"unix://{unix}").running() as controller,
        ):
            await enrol(controller, config)
            config.write_text(
                config.read_text()
                + f'\n[[link.ways]]\nname = "leo"\nclass = "satellite"\nbroker = "mqtt://127.0.0.1:{port}"\n'
                "batch_ms = 50\ncontact = { planned = true }\n"
            )
            code, out, _ = await call("check", "--config", config)
            assert code == 0, out
            async with agent(config) as process:
                first = await over(controller, "leo", 0)
                assert (first.contact, first.returns, first.planned) == (None, None, False)
                await controller.item(payloads.Inventory)
                seen, now = len(controller.items), Millis(time.time_ns() // 1_000_000)
                opens = Millis(now + 1_000)
                soon = Window(opens, Millis(opens + 3_600_000))
                until = Millis(soon.closes + 60_000)
                await controller.send(payloads.Contacts(issued=now, until=until, windows=(soon,)))
                closed = await over(controller, "leo", seen)
                assert (closed.contact, closed.returns, closed.planned) == (None, opens, True)
                second = await controller.until(lambda: opened(controller, soon))
                assert (second.returns, second.planned) == (until, True)
                assert second.since >= opens
                assert await stop(process) == 0
            seen = len(controller.items)
            async with agent(config) as process:
                third = await over(controller, "leo", seen)
                assert (third.contact, third.planned) == (soon, True)
                assert await stop(process) == 0
            assert "no way is there" in (tmp_path / "agent.log").read_text()

    asyncio.run(scenario())

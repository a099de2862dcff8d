"""Two daemons and two key processes over a real broker and a real control plane."""

import asyncio
import contextlib
import json
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.integration import site_of_controlplane as sites
from tests.integration.agent_controller import configure
from tests.integration.site_of_controlplane import Site
from tests.integration.test_agent_daemon import agent, call

COUNT = 1_000
PATIENCE_S = 60.0


class KeyProcess:
    """One key process and what it says."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.life = ""
        self.heard: list[dict[str, Any]] = []

    async def until(self, event: str, **more: Any) -> dict[str, Any]:
        """Read what it says up to this event."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            while line := await self.process.stdout.readline():
                said = json.loads(line)
                self.heard.append(said)
                if said["event"] == event and more.items() <= said.items():
                    return dict(said)
        raise AssertionError(f"it ended before {event}: {self.heard[-3:]}")


@contextlib.asynccontextmanager
async def key_process(folder: Path, peer: str) -> AsyncIterator[KeyProcess]:
    state = folder / "state"
    with (folder / "keys.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.integration.peer_process"),
            *(str(state), str(state / "keys.sock"), peer, str(COUNT)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    made = KeyProcess(process)
    try:
        made.life = (await made.until("sends"))["life"]
        yield made
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def settings_in(folder: Path) -> Path:
    folder.mkdir()
    return configure(folder)


@contextlib.asynccontextmanager
async def daemon(site: Site, folder: Path) -> AsyncIterator[Path]:
    """Enrol an agent under its folder's name and run it until it is online."""
    name, config = folder.name, settings_in(folder)
    code, _, err = await call("enrol", "--config", config, text=await site.invite(name))
    assert code == 0, err
    async with agent(config):

        async def online() -> bool:
            return await site.status(name) == "online"

        await site.until(online, f"{name} is online")
        yield folder


async def check_socket(path: Path) -> None:
    """Bytes that are no frame end the connection and nothing else; nobody else may open the socket."""
    assert stat.S_IMODE((await asyncio.to_thread(path.stat)).st_mode) == 0o600
    for junk in (b"\xff" * 16, b"\x00\x00\x00\x02\x91\xa1"):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(junk)
        async with asyncio.timeout(PATIENCE_S):
            assert await reader.read(), "the welcome"
            while await reader.read(1 << 16):
                pass
        writer.close()


def test_a_thousand_messages_each_way_and_key_processes_that_are_killed(tmp_path: Path) -> None:
    sites.initialise(tmp_path / "c")

    async def scenario() -> None:
        async with (
            sites.running(tmp_path / "c") as site,
            daemon(site, tmp_path / "a") as one,
            daemon(site, tmp_path / "b") as other,
        ):
            await check_socket(one / "state" / "keys.sock")
            async with key_process(one, "b") as first:
                async with key_process(other, "a") as second:
                    assert (await first.until("done"))["life"] == second.life
                    assert (await second.until("done"))["life"] == first.life
                    assert not any(said["event"] == "cut" for said in first.heard + second.heard)
                # Killed while nothing was under way; the next one in the middle of everything.
                async with key_process(other, "a") as third:
                    await first.until("cut")
                    await third.until("read", number=COUNT // 10)
                async with key_process(other, "a") as fourth:
                    await first.until("cut")
                    again = await first.until("sends")
                    assert (await first.until("done"))["life"] == fourth.life
                    assert (await fourth.until("done"))["life"] == again["life"]
            metrics = (await site.client.get("/metrics")).text
            assert 'qfleet_link_forwarded_total{outcome="delivered"}' in metrics

    sites.run(scenario)

"""Agents as processes that connect to brokers with TLS, enrolled at a real control plane."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
from tests.integration.agent_controller import configure
from tests.integration.site_of_controlplane import Site
from tests.integration.test_agent_daemon import agent, call


class Agent:
    """A device of its own; ``broker`` is where it connects if not where its join token says."""

    def __init__(self, folder: Path, name: str, *, authority: Path, broker: str = "") -> None:
        self.name = name
        self.folder = folder / name
        self.folder.mkdir()
        self.config = configure(self.folder)
        lines = [f'ca_file = "{authority}"']
        if broker:
            lines.append(f'broker = "{broker}"')
        self.config.write_text(self.config.read_text() + "\n".join(lines) + "\n")
        self.process: asyncio.subprocess.Process | None = None

    async def enrol(self, site: Site) -> tuple[int, str]:
        """Join the fleet; return exit code and what was said about a failure."""
        code, _, err = await call("enrol", "--config", self.config, text=await site.invite(self.name))
        return code, err

    @asynccontextmanager
    async def running(self, site: Site) -> AsyncIterator["Agent"]:
        """Enrol and run until left."""
        code, err = await self.enrol(site)
        assert code == 0, err
        async with agent(self.config) as self.process:

            async def online() -> bool:
                assert self.process is not None
                assert self.process.returncode is None, self.log
                return await site.status(self.name) == "online"

            await site.until(online, f"{self.name} is online")
            yield self

    @property
    def log(self) -> str:
        return (self.folder / "agent.log").read_text()

    def port_of(self, ports: Iterable[int]) -> int | None:
        """Which of these ports it is connected to."""
        assert self.process is not None
        return connected_port(self.process.pid, ports)


def connected_port(pid: int, ports: Iterable[int]) -> int | None:
    """Which of these ports a process is connected to."""
    wanted = set(ports)
    for connection in psutil.Process(pid).net_connections("tcp"):
        if connection.status == psutil.CONN_ESTABLISHED and connection.raddr.port in wanted:
            port: int = connection.raddr.port
            return port
    return None

"""A whole control plane inside the test's own loop, and an HTTP client for it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import sqlalchemy as sa
from tests.integration.channel_device import Device

from qfleet_controlplane import settings
from qfleet_controlplane.command import main
from qfleet_controlplane.daemon.daemon import Daemon
from qfleet_controlplane.store import engines
from qfleet_controlplane.store.tables.record import audit
from qfleet_wire import api


class Site:
    """A running control plane."""

    def __init__(self, directory: Path, daemon: Daemon, client: httpx.AsyncClient) -> None:
        self.directory = directory
        self.daemon = daemon
        self.client = client

    async def invite(self, name: str, valid_s: float = 600.0) -> str:
        """Invite a device and return its join token."""
        answer = await self.client.post("/api/v1/devices", json={"device": name, "valid_s": valid_s})
        assert answer.status_code == 201, answer.text
        return api.Invitation(**answer.json()).token

    async def join(self, name: str) -> Device:
        """Invite and enrol a device."""
        device = Device(await self.invite(name))
        await device.enrol()
        return device

    async def status(self, name: str) -> str:
        """A device's status."""
        answer = await self.client.get(f"/api/v1/devices/{name}")
        return str(answer.json()["status"])

    async def until(self, holds: Callable[[], Awaitable[bool]], what: str) -> None:
        """Ask until it holds."""
        try:
            async with asyncio.timeout(15):
                while not await holds():  # noqa: ASYNC110 - what is asked offers no event
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"not within 15 s: {what}") from None

    def audited(self) -> list[str]:
        """Actions in the audit log, in order."""
        engine = engines.open_reader(f"sqlite:///{self.directory / 'controlplane.db'}")
        try:
            with engine.begin() as connection:
                return list(connection.scalars(sa.select(audit.c.action).order_by(audit.c.sequence)))
        finally:
            engine.dispose()


def initialise(directory: Path, broker: str = "embedded") -> None:
    """Run ``init``."""
    arguments = ["init", "--directory", str(directory), "--fleet", "home", "--region", "north"]
    assert main([*arguments, "--listen", "127.0.0.1:0", "--broker", broker]) == 0


@contextlib.asynccontextmanager
async def running(directory: Path) -> AsyncIterator[Site]:
    """Run what ``initialise`` made."""
    daemon = Daemon(settings.read(directory / "controlplane.toml"))
    await daemon.start()
    try:
        token = (directory / "admin.token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=daemon.api_url, headers=headers, timeout=15) as client:
            yield Site(directory, daemon, client)
    finally:
        await daemon.stop()


def run(main_: Callable[[], Awaitable[None]]) -> None:
    """Run a test's coroutine, but not for ever."""

    async def bounded() -> None:
        async with asyncio.timeout(90):
            await main_()

    asyncio.run(bounded())

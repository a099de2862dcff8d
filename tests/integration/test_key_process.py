"""Whole key processes: ordered by a real control plane over a real broker, they make a key and deliver it.

Two agents and two key deliveries as processes of their own, none of which knows another's address.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
import sqlalchemy as sa
from tests.integration import site_of_controlplane as sites
from tests.integration.test_peer_processes import daemon
from tests.unit import qkd_cases

from qfleet_agent import command
from qfleet_agent.keyservice import standing
from qfleet_controlplane.daemon import daemon as controlplane
from qfleet_controlplane.daemon.region import RegionRuntime
from qfleet_controlplane.store import keys
from qfleet_wire import key_orders
from qfleet_wire.key_orders import Eavesdropper, Exchange, ExchangeEnded
from qfleet_wire.names import DeviceName, Millis, RegionName

PATIENCE_S = 60.0
MARK = "Keys are delivered at https://127.0.0.1:"
APPLICATIONS = {"a": "alice", "b": "bob"}
HOUR_MS = 3_600_000
FAR_S = 0.6
"""As if the two were far apart: the key is short for codes, so Cascade asks in the fewest round trips."""


class Delivery(NamedTuple):
    """A running key process."""

    process: asyncio.subprocess.Process
    port: int
    certificates: Path

    async def ask(self, who: str, rest: str) -> dict[str, object]:
        """Ask by curl, as the application ``who``."""
        folder = self.certificates
        words = ["curl", "-sS", "--max-time", "20", "--cacert", f"{folder}/ca.crt"]
        words += ["--cert", f"{folder}/{who}.crt", "--key", f"{folder}/{who}.key"]
        words.append(f"https://127.0.0.1:{self.port}/api/v1/keys/{rest}")
        done = await asyncio.to_thread(subprocess.run, words, capture_output=True, text=True, check=True)
        read: dict[str, object] = json.loads(done.stdout)
        return read


@pytest.fixture
def led(monkeypatch: pytest.MonkeyPatch) -> dict[RegionName, RegionRuntime]:
    """The regions that a control plane of this test leads, once it runs."""
    found: dict[RegionName, RegionRuntime] = {}

    class Known(RegionRuntime):
        async def start(self) -> None:
            found[self.region] = self
            await super().start()

    monkeypatch.setattr(controlplane, "RegionRuntime", Known)
    return found


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    folder = tmp_path / "certificates"
    options = [word for one in APPLICATIONS.values() for word in ("--application", one)]
    assert command.main(["keys", "certificates", str(folder), "--host", "127.0.0.1", *options]) == 0
    return folder


def configure(folder: Path, certificates: Path) -> None:
    """Add the key delivery to an agent's settings."""
    name = folder.name
    peer = "b" if name == "a" else "a"
    with (folder / "agent.toml").open("a") as file:
        file.write(
            f"""
            [keys]
            port = 0
            certificate_file = "{certificates}/server.crt"
            key_file = "{certificates}/server.key"
            client_ca_file = "{certificates}/ca.crt"
            applications = ["{APPLICATIONS[name]}"]
            [keys.peers.{peer}]
            applications = ["{APPLICATIONS[peer]}"]
            """
        )


@contextlib.asynccontextmanager
async def delivering(folder: Path, certificates: Path) -> AsyncIterator[Delivery]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "qfleet_agent", "keys", "serve", "--config", str(folder / "agent.toml")),
        stderr=asyncio.subprocess.PIPE,
    )
    said = b""
    try:
        assert process.stderr is not None
        async with asyncio.timeout(PATIENCE_S):
            while MARK.encode() not in (line := await process.stderr.readline()):
                said += line
                assert line, said.decode()
        port = int(line.decode().split(MARK)[1].split(".")[0])
        reading = asyncio.create_task(process.stderr.read())
        yield Delivery(process, port, certificates)
        process.terminate()
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() in {0, -9}
        await reading
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def order(led: RegionRuntime, session: str, listener: Eavesdropper | None = None) -> None:
    plan = msgspec.structs.replace(qkd_cases.BRIGHT, session=session, delay_s=FAR_S)
    for name, peer, role in (("a", "b", "alice"), ("b", "a", "bob")):
        body = Exchange(
            plan=plan,
            peer=DeviceName(peer),
            role=role,  # type: ignore[arg-type] # one of two literals
            expires=Millis(time.time_ns() // 1_000_000 + HOUR_MS),
            eavesdropper=listener,
        )
        await led.link.order(DeviceName(name), f"{session}/{role}", key_orders.encode(body))


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> list[keys.Report]:
    """All reports that were stored, whether or not the authority of keys has read them since."""
    found: list[keys.Report] = []
    store = keys.report

    def report(connection: sa.Connection, said: keys.Report) -> bool:
        done = store(connection, said)
        if done:
            found.append(said)
        return done

    monkeypatch.setattr(keys, "report", report)
    return found


async def ended(stored: list[keys.Report], session: str) -> list[ExchangeEnded]:
    """What both ends report of a session, once both have."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            read = [key_orders.report(one.body) for one in stored]
            found = [one for one in read if isinstance(one, ExchangeEnded) and one.session == session]
            if len({one.role for one in found}) == 2:
                return found
            await asyncio.sleep(0.1)


async def make_key(led: RegionRuntime, stored: list[keys.Report], session: str) -> None:
    """Order a key, and wait until both ends have it."""
    await order(led, session)
    assert {report.outcome for report in await ended(stored, session)} == {"key"}


async def delivered(left: Delivery, right: Delivery) -> None:
    """An application's key is the same at the other end."""
    given = await left.ask("alice", "bob/enc_keys?size=256")
    key = given["keys"][0]  # type: ignore[index] # as the standard has it
    fetched = await right.ask("bob", f"alice/dec_keys?key_ID={key['key_ID']}")
    assert fetched["keys"] == [key]


def test_a_key_is_made_by_order_delivered_at_both_ends_and_an_eavesdropper_gets_none(
    tmp_path: Path, led: dict[RegionName, RegionRuntime], stored: list[keys.Report], certificates: Path
) -> None:
    sites.initialise(tmp_path / "c")

    async def scenario() -> None:
        async with (
            sites.running(tmp_path / "c") as site,
            daemon(site, tmp_path / "a") as one,
            daemon(site, tmp_path / "b") as other,
        ):
            for folder in (one, other):
                configure(folder, certificates)
            await _through((next(iter(led.values())), stored), (one, other), certificates)
            metrics = (await site.client.get("/metrics")).text
            assert "qfleet_link_forwarded_total" in metrics

    sites.run(scenario)


async def _through(
    plane: tuple[RegionRuntime, list[keys.Report]], folders: tuple[Path, Path], certificates: Path
) -> None:
    (region, stored), (one, other) = plane, folders
    async with delivering(one, certificates) as left:
        async with delivering(other, certificates) as right:
            await make_key(region, stored, "s1")
            await delivered(left, right)
            await order(region, "tapped", Eavesdropper(kind="intercept", share=1.0))
            assert {report.outcome for report in await ended(stored, "tapped")} == {"aborted"}
            # ordered while one end is there, which then dies in the middle of whatever it does
            await order(region, "s2")
            right.process.kill()
        async with delivering(other, certificates) as right:
            outcomes = {report.outcome for report in await ended(stored, "s2")}
            assert len(outcomes) == 1, outcomes
            await make_key(region, stored, "s3")
            await delivered(left, right)
            await told(one, standing.LineStanding("b", open=True, trouble=None))


async def told(folder: Path, line: standing.LineStanding) -> None:
    """The key process says in its status that the agent and this line are there."""
    wanted = standing.Standing(connected=True, trouble=None, lines=(line,))
    async with asyncio.timeout(PATIENCE_S):
        while standing.read(folder / "state") != wanted:  # noqa: ASYNC110  # a file offers no event
            await asyncio.sleep(0.1)

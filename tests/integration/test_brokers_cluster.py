"""Three NATS nodes and a leaf, as packaged: nodes die under load, and nothing is lost or double."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import pytest
from tests.integration.agents_at_brokers import Agent, connected_port
from tests.integration.packaged_brokers import NatsNode, NatsSite, started
from tests.integration.site_of_controlplane import Site, running

from qfleet_controlplane.broker import clients, logins
from qfleet_controlplane.broker.addresses import parse_addresses
from qfleet_controlplane.errors import BrokerUnavailable

PATIENCE_S = 60.0
TASKS = 100
"""Tasks that are handed in before each blow."""


class Load:
    """Jobs that are handed in and watched."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.jobs: list[str] = []

    async def add(self) -> None:
        """Hand in another job and wait until some of it is done and some is not."""
        request = {"kind": "probe.echo", "items": TASKS, "lost_after_s": 20.0}
        answer = await self._site.client.post("/api/v1/jobs", json=request)
        assert answer.status_code == 201, answer.text
        self.jobs.append(answer.json()["id"])

        async def under_way() -> bool:
            return await self._done(self.jobs[-1]) >= 5

        await until(under_way, "the job is under way")

    async def ended(self) -> bool:
        """Whether every task of every job has succeeded."""
        return [await self._done(job) for job in self.jobs] == [TASKS] * len(self.jobs)

    async def _done(self, job: str) -> int:
        answer = await self._site.client.get(f"/api/v1/jobs/{job}")
        view = answer.json()
        assert view["job"]["tasks"]["failed"] == 0, view
        return int(view["job"]["tasks"]["succeeded"])


async def until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    """Ask until it holds: a cluster that lost a node takes seconds to choose new leaders."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await holds():  # noqa: ASYNC110 - what is asked offers no event
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"not within {PATIENCE_S:.0f} s: {what}") from None


async def find(who: int, nodes: Iterable[NatsNode]) -> NatsNode:
    """Find the node that a process is connected to."""
    by_port = {node.port: node for node in nodes}
    while (port := await asyncio.to_thread(connected_port, who, by_port)) is None:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    return by_port[port]


async def wait_for(brokers: NatsSite, node: NatsNode) -> None:
    """Wait until the cluster has taken a node in."""
    login = logins.read(brokers.directory / "logins.toml").controller
    (address,) = parse_addresses(brokers.url(node))
    access = clients.Access(address, login, str(brokers.certificates.authority))

    async def serves() -> bool:
        try:
            await clients.probe(access)
        except BrokerUnavailable:
            return False
        return True

    await until(serves, "the node is in the cluster")


@pytest.fixture
def brokers(tmp_path: Path) -> NatsSite:
    return NatsSite(tmp_path).cluster()


def test_nodes_die_under_load_and_nothing_is_lost_or_double(brokers: NatsSite, tmp_path: Path) -> None:
    cluster, authority = brokers.nodes[:3], brokers.certificates.authority

    async def main() -> None:
        for node in brokers.nodes:
            await wait_for(brokers, node)
        async with running(brokers.directory) as site:
            near = Agent(tmp_path, "pi-near", authority=authority)
            far = Agent(tmp_path, "pi-far", authority=authority, broker=brokers.url(brokers.leaf))
            async with near.running(site), far.running(site):
                load = Load(site)
                assert near.process is not None
                await load.add()
                struck = await find(os.getpid(), cluster)  # where the control plane is connected
                await asyncio.to_thread(struck.kill)
                await load.add()
                await asyncio.to_thread(struck.start)
                await wait_for(brokers, struck)
                struck = await find(near.process.pid, cluster)
                await asyncio.to_thread(struck.kill)
                await load.add()
                await until(load.ended, "every task has ended")
                metrics = (await site.client.get("/metrics")).text
                assert f"qfleet_core_results {TASKS * len(load.jobs)}\n" in metrics
                devices = {
                    device
                    for job in load.jobs
                    for device in (await site.client.get(f"/api/v1/jobs/{job}")).json()["job"]["devices"]
                }
                assert devices == {"pi-near", "pi-far"}

    with started(*brokers.nodes):
        asyncio.run(asyncio.wait_for(main(), 200))

"""A cluster that speaks TLS takes an agent with its certificates, and no other."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration import broker_certificates
from tests.integration.broker_certificates import Certificates
from tests.integration.test_dask_cluster import ECHO, MIB
from tests.system.processes import Processes, tool

from qfleet_agent import settings
from qfleet_agent.daemon import cluster_site
from qfleet_agent.workers.bridge_frames import Site, Trouble
from qfleet_agent.workers.cluster import Cluster

PATIENCE_S = 60.0


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return broker_certificates.make(tmp_path, title="cluster")


@pytest.fixture
def executor(tmp_path: Path, certificates: Certificates) -> Iterator[str]:
    """``executor`` of a scheduler and one worker with these certificates."""
    processes, file = Processes(tmp_path), tmp_path / "scheduler.json"
    trust = (
        *("--tls-ca-file", str(certificates.authority)),
        *("--tls-cert", str(certificates.certificate)),
        *("--tls-key", str(certificates.key)),
    )

    def address() -> str:
        try:
            return str(json.loads(file.read_text())["address"])
        except (FileNotFoundError, json.JSONDecodeError):
            return ""

    try:
        processes.start(
            "scheduler", tool("dask"), "scheduler", "--host", "tls://127.0.0.1", "--port", "0",
            "--no-dashboard", "--scheduler-file", str(file), *trust,
        )  # fmt: skip
        processes.wait_for("the scheduler listens", lambda: bool(address()))
        processes.start(
            "worker", tool("dask"), "worker", address(), "--nthreads", "1", "--memory-limit", "1GiB",
            "--no-dashboard", "--local-directory", str(tmp_path), *trust,
        )  # fmt: skip
        yield f"dask+{address()}"
    finally:
        processes.stop_all()


async def ask(executor: str, trust: Certificates) -> Site | Trouble:
    """What an agent with these certificates is told, once there is a worker; a task runs on it."""
    chosen = settings.parse(
        f'executor = "{executor}"\n[cluster]\nca_file = "{trust.authority}"\n'
        f'cert_file = "{trust.certificate}"\nkey_file = "{trust.key}"',
        source="x",
    )
    told: asyncio.Queue[Site | Trouble] = asyncio.Queue()
    cluster = Cluster(cluster_site.connection(chosen), lambda _: None, told.put_nowait)
    await cluster.start()
    try:
        async with asyncio.timeout(PATIENCE_S):
            one = await told.get()
            while isinstance(one, Site) and not one.workers:
                one = await told.get()
            if isinstance(one, Site):
                done = await cluster.run(ECHO, memory_bytes=MIB, time_limit_s=PATIENCE_S)
                assert done.engine == "echo"
    finally:
        await cluster.close()
    return one


def test_only_an_agent_with_the_clusters_certificates_is_taken(
    executor: str, certificates: Certificates, tmp_path: Path
) -> None:
    assert executor.startswith("dask+tls://127.0.0.1:")
    assert isinstance(asyncio.run(ask(executor, certificates)), Site)
    stranger = broker_certificates.make(tmp_path, title="stranger")
    said = asyncio.run(ask(executor, stranger))
    assert isinstance(said, Trouble)
    assert "does not take clients" in said.text

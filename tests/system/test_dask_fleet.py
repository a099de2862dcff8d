"""A site with a Dask cluster joins as one device: it gets what no small device admits."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration import dask_site
from tests.system import fleet as fleets
from tests.system import processes

from qfleet import Fleet, JobRequest, SampleResultView

PATIENCE_S = 120.0
SMALL, SITE = "device-0", "device-1"
SMALL_QUBITS, WIDE_QUBITS = 12, 14
WORK = """
OPENQASM 3.0;
include "stdgates.inc";
qubit[{qubits}] q;
bit[{qubits}] c;
bit f;
for int i in [0:{last}] {{ ry(0.3) q[i]; }}
h q[0];
f = measure q[0];
if (f) {{ x q[1]; }}
c = measure q;
"""


class Mixed(fleets.LocalFleet):
    """One small device, and a site with a cluster."""

    def __init__(self, directory: Path, cluster: dask_site.Cluster) -> None:
        super().__init__(directory, agents=2)
        small = directory / "profiles" / "generic.toml"
        small.parent.mkdir()
        catalogue = Path(__file__).parents[2] / "firmware_profiles"
        text = (catalogue / "generic.toml").read_text()
        assert "max_qubits = 24" in text
        small.write_text(text.replace("max_qubits = 24", f"max_qubits = {SMALL_QUBITS}"))
        self._settings = {
            SMALL: f'profiles_dir = "{small.parent}"\nworkers = 1\n{fleets.QUICK_LINK}',
            SITE: f'executor = "{cluster.executor}"\n{fleets.QUICK_LINK}',
        }

    def _enrol(self, name: str, token: str) -> None:
        self._agent_settings = self._settings[name]
        super()._enrol(name, token)

    def said(self, command: str, name: str) -> str:
        """What the agent's command says."""
        return processes.run((processes.tool("qfleet-agent"), command, "--config", str(self._agent(name))))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[dask_site.Cluster]:
    (tmp_path / "cluster").mkdir()
    with dask_site.Cluster(tmp_path / "cluster") as running:
        yield running


@pytest.fixture
def fleet(tmp_path: Path, cluster: dask_site.Cluster) -> Iterator[Mixed]:
    (tmp_path / "fleet").mkdir()
    with Mixed(tmp_path / "fleet", cluster) as running:
        yield running


def request(qubits: int, shots: int, seed: int = 7) -> JobRequest:
    program = WORK.format(qubits=qubits, last=qubits - 1)
    return JobRequest(kind="circuit.sample", program=program, shots=shots, seed=seed)


def done_by(fleet: Fleet, job: str) -> set[str]:
    """Wait for a job, and say whose results it has."""
    detail = fleet.wait(job, timeout_s=PATIENCE_S)
    assert detail.job.status == "succeeded", detail
    result = fleet.result(job)
    assert isinstance(result, SampleResultView)
    return {task.device for task in detail.tasks if task.device}


def workers_of(fleet: Fleet, name: str) -> int:
    (device,) = [one for one in fleet.devices() if one.name == name]
    return device.workers or 0


def test_a_cluster_gets_what_no_small_device_admits_and_keeps_it_when_it_goes(
    fleet: Mixed, cluster: dask_site.Cluster
) -> None:
    with fleet.connect() as client:
        fleet.wait_for("the cluster is announced", lambda: workers_of(client, SITE) == 2)
        assert f"{cluster.executor}: 2 workers with 2 threads" in fleet.said("check", SITE)
        assert cluster.executor in fleet.said("status", SITE)
        wide = client.submit(request(WIDE_QUBITS, 60 * 1024)).id
        fleet.wait_for("the cluster has it", lambda: _is_held(client, wide))
        # The cluster has enough to do: what a small device can run now ends there first.
        assert done_by(client, client.submit(request(4, 64)).id) == {SMALL}
        assert done_by(client, wide) == {SITE}
        goes_and_comes_back(fleet, cluster, client)


def goes_and_comes_back(fleet: Mixed, cluster: dask_site.Cluster, client: Fleet) -> None:
    held = client.submit(request(WIDE_QUBITS, 4 * 1024)).id
    fleet.wait_for("the cluster has it", lambda: _is_held(client, held))
    for name in ("worker-0", "worker-1", "scheduler"):
        cluster.kill_one(name)
    fleet.wait_for("no capacity is announced", lambda: workers_of(client, SITE) == 0)
    later = client.submit(request(WIDE_QUBITS, 64, seed=9)).id
    assert done_by(client, client.submit(request(4, 64)).id) == {SMALL}
    fleet.kill(SITE)
    fleet.start_agent(SITE)
    fleet.wait_online()
    assert client.job(later).job.status not in {"succeeded", "failed"}
    cluster.start_scheduler()
    cluster.start_worker("worker-2")
    assert done_by(client, held) == {SITE}
    assert done_by(client, later) == {SITE}


def _is_held(client: Fleet, job: str) -> bool:
    return any(task.device == SITE and task.status in {"leased", "running"} for task in client.job(job).tasks)

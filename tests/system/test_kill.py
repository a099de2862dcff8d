"""``kill -9`` in mid-job: the job still completes, and everything in it counts once.

What a block of shots gives is a function of the job's seed and the block. So the counts of a job
that was hurt must equal those of the same job left alone: a block lost or counted twice shows.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.system import fleet as fleets

from qfleet import Fleet, JobRequest, SampleResultView

SHOTS = 40 * 1024
PROGRAM = """
OPENQASM 3.0;
include "stdgates.inc";
qubit[10] q;
bit[10] c;
bit f;
h q[0];
for int i in [0:8] { cx q[i], q[i + 1]; ry(0.3) q[i]; }
f = measure q[0];
if (f) { x q[9]; h q[3]; }
reset q[0];
for int i in [0:8] { cz q[i], q[i + 1]; rx(0.7) q[i]; }
c = measure q;
"""
PATIENCE_S = 120.0


@pytest.fixture
def site(tmp_path: Path) -> Iterator[fleets.LocalFleet]:
    with fleets.LocalFleet(tmp_path, agents=2, settings=fleets.QUICK_LINK) as running:
        yield running


def request(seed: int) -> JobRequest:
    return JobRequest(kind="circuit.sample", program=PROGRAM, shots=SHOTS, seed=seed)


def counts(fleet: Fleet, job: str) -> dict[str, int]:
    detail = fleet.wait(job, timeout_s=PATIENCE_S)
    assert detail.job.status == "succeeded", detail
    assert all(task.status == "succeeded" for task in detail.tasks)
    result = fleet.result(job)
    assert isinstance(result, SampleResultView)
    return result.items[0].counts


def hurt_in_the_middle(site: fleets.LocalFleet, job: str, hurt: Callable[[], None]) -> None:
    """Wait until some tasks are done and each agent has one in hand, and strike."""

    def is_in_the_middle() -> bool:
        tasks = fleet.job(job).tasks
        busy = {task.device for task in tasks if task.status in {"leased", "running"}}
        done = [task for task in tasks if task.status == "succeeded"]
        return bool(done) and busy == set(site.agents)

    with site.connect() as fleet:
        site.wait_for("the job is in its middle", is_in_the_middle)
        hurt()


def test_a_killed_agent_costs_no_result_and_doubles_none(site: fleets.LocalFleet) -> None:
    victim = site.agents[0]
    with site.connect() as fleet:
        job = fleet.submit(request(seed=7)).id
        hurt_in_the_middle(site, job, lambda: site.kill(victim))
        site.start_agent(victim)
        hurt = counts(fleet, job)
        alone = counts(fleet, fleet.submit(request(seed=7)).id)
    assert sum(hurt.values()) == SHOTS
    assert hurt == alone


def test_a_killed_control_plane_costs_no_result_and_doubles_none(site: fleets.LocalFleet) -> None:
    with site.connect() as fleet:
        job = fleet.submit(request(seed=11)).id
    hurt_in_the_middle(site, job, lambda: site.kill(fleets.CONTROL_PLANE))
    site.start_control_plane()
    with site.connect() as fleet:
        hurt = counts(fleet, job)
        alone = counts(fleet, fleet.submit(request(seed=11)).id)
    assert sum(hurt.values()) == SHOTS
    assert hurt == alone

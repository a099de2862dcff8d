"""Released and new version in one fleet, and each part upgraded in place while it has work in hand.

What a block of shots gives is a function of the job's seed and the block. So the counts of a job that
was upgraded in its middle must equal those of the same job left alone: a block lost or counted twice
shows.
"""

import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from tests.system import processes, released
from tests.system.fleet import CONTROL_PLANE
from tests.system.released import NEW, MixedFleet, Version

from qfleet import Fleet, JobRequest, SampleResultView
from qfleet_agent.journal import journal, layout

SHOTS = 12 * 1024
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
SLOW = """
OPENQASM 3.0;
include "stdgates.inc";
qubit[13] q;
bit[13] c;
bit f;
for int s in [0:11] {
  h q[0];
  f = measure q[0];
  if (f) { x q[1]; }
  for int i in [0:11] { ry(0.2) q[i]; cx q[i], q[i + 1]; }
}
c = measure q;
"""
"""Every shot of it goes its own way: one block takes seconds."""
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Version:
    return released.install(tmp_path_factory.mktemp("released"))


def request(seed: int = 7, *, shots: int = SHOTS) -> JobRequest:
    return JobRequest(kind="circuit.sample", program=PROGRAM, shots=shots, seed=seed)


def counts(fleet: Fleet, job: str) -> dict[str, int]:
    detail = fleet.wait(job, timeout_s=PATIENCE_S)
    assert detail.job.status == "succeeded", detail
    result = fleet.result(job)
    assert isinstance(result, SampleResultView)
    assert sum(result.items[0].counts.values()) == result.items[0].shots
    return result.items[0].counts


def versions(fleet: Fleet) -> dict[str, str | None]:
    return {device.name: device.agent_version for device in fleet.devices()}


def has(fleet: Fleet, job: str) -> bool:
    """Whether a device has tasks of the job in hand."""
    return any(task.status in {"leased", "running"} for task in fleet.job(job).tasks)


def cancels(site: MixedFleet, fleet: Fleet, device: str) -> None:
    """A task that would take minutes is cancelled on the device that has it."""
    job = fleet.submit(request(seed=1, shots=4_000_000)).id
    site.wait_for(
        f"{device} has a task",
        lambda: any(
            task.device == device and task.status in {"leased", "running"} for task in fleet.job(job).tasks
        ),
    )
    fleet.cancel(job)
    assert fleet.wait(job, timeout_s=PATIENCE_S).job.status == "cancelled"


def held(site: MixedFleet, name: str) -> tuple[int, int, int]:
    """Version of a stopped agent's journal, and its numbers of unfinished tasks and of results."""
    with closing(sqlite3.connect(journal.path_in(site.state(name)))) as database:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        (tasks,) = database.execute("SELECT COUNT(*) FROM tasks").fetchone()
        (results,) = database.execute("SELECT COUNT(*) FROM outbox").fetchone()
    return version, tasks, results


def refuses(*command: str) -> str:
    """Run a command that must end with an error; returns what it says."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in {1, 78}, done
    return done.stderr


def works_through_restarts(site: MixedFleet, agent: str) -> None:
    """Jobs, a cancellation, and sessions that resume after each side was killed."""
    with site.connect() as fleet:
        first = counts(fleet, fleet.submit(request(shots=2 * SHOTS)).id)
        cancels(site, fleet, agent)
    site.kill(CONTROL_PLANE)
    site.start_control_plane()
    site.wait_online()
    with site.connect() as fleet:
        job = fleet.submit(request(shots=2 * SHOTS)).id
        site.wait_for("the job is under way", lambda: has(fleet, job))
        site.kill(agent)
        site.start_agent(agent)
        assert counts(fleet, job) == first


def test_a_released_agent_serves_the_new_control_plane_and_is_upgraded_with_work_in_hand(
    old: Version, tmp_path: Path
) -> None:
    with MixedFleet(tmp_path, controlplane=NEW, agents={"a": old}) as site:
        works_through_restarts(site, "a")
        # The first leaves a result, of the second some is still to be computed when the agent stops: it has
        # more blocks than the agent has workers.
        sizes = {5: 1024, 9: 4 * 1024}
        both = [
            JobRequest(kind="circuit.sample", program=SLOW, shots=shots, seed=seed)
            for seed, shots in sizes.items()
        ]
        with site.connect() as fleet:
            jobs = []
            for wanted in both:
                jobs.append(fleet.submit(wanted).id)
                site.wait_for("the agent has it", lambda: has(fleet, jobs[-1]))
        site.kill(CONTROL_PLANE)
        site.wait_for("results wait", lambda: held(site, "a")[2] > 0)
        site.stop_one("a")
        _, tasks, results = held(site, "a")
        assert tasks > 0
        assert results > 0
        site.start_agent("a", NEW)
        site.start_control_plane()
        with site.connect() as fleet:
            hurt = [counts(fleet, job) for job in jobs]
            again = [fleet.submit(wanted).id for wanted in both]
            assert hurt == [counts(fleet, job) for job in again]
            assert {task.device for job in jobs for task in fleet.job(job).tasks} == {"a"}
            site.wait_for("all is acknowledged", lambda: held(site, "a")[1:] == (0, 0))
        site.stop_one("a")
        # An update can be taken back: the older agent leaves alone what it does not know.
        assert held(site, "a") == (layout.VERSION, 0, 0)
        site.start_agent("a", old)
        site.wait_online()
        with site.connect() as fleet:
            counts(fleet, fleet.submit(request()).id)


def test_a_new_agent_serves_the_released_control_plane_which_is_upgraded_in_mid_job(
    old: Version, tmp_path: Path
) -> None:
    with MixedFleet(tmp_path, controlplane=old, agents={"n": NEW}) as site:
        works_through_restarts(site, "n")
        site.join("o", old)
        site.wait_online()
        with site.connect() as fleet:
            early = fleet.submit(request(seed=3, shots=2048)).id
            kept = counts(fleet, early)
            job = fleet.submit(request(seed=9, shots=4 * SHOTS)).id
            site.wait_for("the job is under way", lambda: has(fleet, job))
            before = {one.id for one in fleet.jobs()}
        site.kill(CONTROL_PLANE)
        site.start_control_plane(NEW)
        with site.connect() as fleet:
            assert counts(fleet, early) == kept
            hurt = counts(fleet, job)
            site.wait_online()
            assert {one.id for one in fleet.jobs()} == before
            assert set(versions(fleet)) == {"n", "o"}
            undisturbed = fleet.submit(request(seed=9, shots=4 * SHOTS)).id
            assert counts(fleet, undisturbed) == hurt
            # What an agent of before has measured says too much time: the other would get all of it.
            fleet.quarantine("n", "the other one shall have the tasks")
            cancels(site, fleet, "o")
            fleet.release("n")
        site.join("later", NEW)
        site.wait_online()
        site.kill(CONTROL_PLANE)
        said = refuses(*old.controlplane, "run", "--config", str(site.controlplane_config))
        assert "cannot be brought up to date" in said


def test_the_commands_of_the_page_exist() -> None:
    page = (Path(__file__).parents[2] / "docs" / "upgrades.md").read_text()
    named = set(re.findall(r"^# /opt/qfleet/bin/(qfleet-\S+) (\w+)", page, re.MULTILINE))
    assert len(named) == 3
    for program, command in named:
        assert "usage:" in processes.run((processes.tool(program), command, "--help"))

"""Whatever is lost, doubled, reordered or killed: every accepted job ends, each task counted once."""

import msgspec
import pytest
import sqlalchemy as sa
from tests.simulation.core_world import HEALTHY, PROGRAM, Faults, World, expected, sampled, specification

from qfleet_controlplane.planning import merge, work
from qfleet_controlplane.store import queries, records
from qfleet_controlplane.store.tables.work import results, tasks
from qfleet_wire import api, workload
from qfleet_wire.names import JobId

SEEDS = 60
"""Of each kind of weather; more are drawn by raising it."""
CHAOS_STEPS = 400
PATIENCE = 20_000
WEATHERS = {
    "lossy": Faults(lose=0.3, duplicate=0.2, control_crash=0, agent_crash=0, cut=0.02, fail=0.05),
    "crashing": Faults(lose=0.02, duplicate=0.02, control_crash=0.02, agent_crash=0.03, cut=0.01, fail=0.1),
    "everything": Faults(lose=0.2, duplicate=0.2, control_crash=0.01, agent_crash=0.02, cut=0.03, fail=0.1),
}
Wanted = dict[JobId, tuple[api.JobRequest, bool]]


def submit_mixture(world: World) -> Wanted:
    requests = [
        (api.JobRequest(kind="probe.echo", items=12, priority=1), False),
        (api.JobRequest(kind="circuit.sample", items=3, shots=1500), False),
        (api.JobRequest(kind="circuit.sample", items=2, shots=9_000), True),
        (api.JobRequest(kind="circuit.expect", items=2, shots=20_000), True),
        (api.JobRequest(kind="circuit.expect", items=40), False),
    ]
    wanted: Wanted = {}
    for plain, dynamic in requests:
        request = msgspec.structs.replace(plain, max_attempts=1_000, lost_after_s=5.0)
        wanted[world.submit(request, specification(request, dynamic=dynamic))] = (request, dynamic)
    return wanted


@pytest.mark.parametrize("weather", WEATHERS)
def test_jobs_survive(weather: str) -> None:
    restarts = compared = 0
    for seed in range(SEEDS):
        world = World(seed, agents=3)
        survive(world, WEATHERS[weather], seed)
        restarts += world.control.restarts - 1
        compared += world.control.compared
    faults = WEATHERS[weather]
    assert (restarts > SEEDS) == (faults.control_crash > 0), "the weather is not what it says"
    assert compared > 0 or faults.lose < 0.2, "no second result was ever compared"


def survive(world: World, faults: Faults, seed: int) -> None:
    wanted = submit_mixture(world)
    world.faults = faults
    world.run(lambda: False, most=CHAOS_STEPS)
    world.faults = HEALTHY
    assert world.run(world.finished, most=PATIENCE), f"seed {seed}: jobs do not end"
    for job, (request, dynamic) in wanted.items():
        check_job(world, job, request, dynamic=dynamic)
    assert world.control.alarms == [], f"seed {seed}"


def check_job(world: World, job: JobId, request: api.JobRequest, *, dynamic: bool) -> None:
    connection = world.control.connection
    (view,) = queries.job_views(connection, job)
    assert view is not None
    assert view.status == "succeeded"
    total = connection.scalar(sa.select(sa.func.count()).select_from(tasks).where(tasks.c.job == job))
    counted = connection.scalar(sa.select(sa.func.count()).select_from(results).where(results.c.job == job))
    assert counted == total == view.tasks.succeeded
    check_merged(connection, job, request, dynamic=dynamic)
    connection.rollback()


def check_merged(connection: sa.Connection, job: JobId, request: api.JobRequest, *, dynamic: bool) -> None:
    """The merged answer is what a single device would have returned for the whole job."""
    whole = specification(request, dynamic=dynamic)
    found = [records.work_result_of(one.body) for one in queries.results(connection, job)]
    samples = [one for one in found if isinstance(one, workload.SampleResult)]
    values = [one for one in found if isinstance(one, workload.ExpectResult)]
    if request.kind == "circuit.sample":
        items = tuple(workload.SampleItem(index, (), 0, whole.shots) for index in range(whole.items))
        alone = sampled(workload.CircuitSample(PROGRAM, whole.seed, items))
        assert merge.counts(samples) == merge.counts([alone])
    elif request.kind == "circuit.expect":
        shots = whole.shots if dynamic else 0
        points = tuple(workload.ExpectItem(index, (), 0, shots) for index in range(whole.items))
        single = expected(workload.CircuitExpect(PROGRAM, whole.seed, (), points))
        assert merge.values(values) == merge.values([single])
    else:
        assert found == [workload.EchoResult(work.ECHO)] * request.items

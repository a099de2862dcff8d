"""Minimisations and kernels in a real worker, within exactly the memory that a task of theirs is given."""

import asyncio

import pytest
from tests.unit import kernel_cases, variational_cases, workload_runs

from qfleet_agent.workers import pool
from qfleet_agent.workers.errors import WorkFailed
from qfleet_agent.workers.events import Finished
from qfleet_controlplane.planning import kinds
from qfleet_controlplane.planning.plan import Slice
from qfleet_wire import api, codec

FIELD = api.IsingCost(
    linear=(api.Field(0, 0.5),), quadratic=tuple(api.Coupling(q, q + 1, 1.0) for q in range(19))
)
WIDE: dict[str, api.JobRequest] = {
    "qaoa, 20 qubits": variational_cases.request(FIELD, api.QaoaAnsatz(), starts=1, evaluations=2),
    "a program, 18 qubits": variational_cases.request(
        api.PauliCost(sum="Z0 Z17 - X3 + Y5 Y6"), api.HardwareEfficientAnsatz(), starts=1, evaluations=2
    ),
    "a kernel, 18 qubits": kernel_cases.request(kernel_cases.points(4, 18), api.AngleFeatureMap()),
}


def run(asked: api.JobRequest, *, short_bytes: int = 0) -> Finished:
    """Run a whole job as one task in a worker of its own."""
    job = workload_runs.specified(asked)
    part = Slice(0, job.items, 0, 0)
    memory = kinds.memory_bytes(job) - short_bytes

    async def scenario() -> Finished:
        workers = pool.Pool(pool.Settings(workers=1, memory_bytes=kinds.memory_bytes(job)), lambda _: None)
        await workers.start()
        try:
            return await workers.run(bytes(kinds.encode(job, part)), memory_bytes=memory, time_limit_s=60.0)
        finally:
            await workers.close()

    done = asyncio.run(scenario())
    result = codec.decode(done.body, workload_runs.RESULT)
    assert kinds.fault(job, part, result) is None
    return done


@pytest.mark.parametrize("name", WIDE)
def test_the_memory_of_a_task_suffices(name: str) -> None:
    done = run(WIDE[name])
    assert (done.engine, done.seed) == ("qulacs", 1)


@pytest.mark.parametrize("name", WIDE)
def test_a_task_with_half_the_memory_says_what_it_needs(name: str) -> None:
    short = kinds.memory_bytes(workload_runs.specified(WIDE[name])) // 2
    with pytest.raises(WorkFailed, match=r"need.* MiB"):
        run(WIDE[name], short_bytes=short)

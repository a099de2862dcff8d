"""Compiled programs on the engine that devices run: outcomes within their statistical error."""

import math

import pytest
from tests.unit import compile_corpus

from qfleet_agent.engines import execution
from qfleet_controlplane.compile.job import compile_job
from qfleet_wire import api, workload

CASES = compile_corpus.outcomes()
SHOTS = 2000
pytest.importorskip("qulacs", reason="the agent's [circuits] extra is not installed")


def counts(program: str) -> dict[int, int]:
    job = compile_job(api.JobRequest(kind="circuit.sample", program=program, shots=SHOTS))
    assert job.program is not None
    item = workload.SampleItem(0, job.points[0], 0, SHOTS)
    work = workload.CircuitSample(job.program, 20261123, (item,))
    result = execution.execute(work, budget=1 << 30, report=lambda _: None)
    assert isinstance(result, workload.SampleResult)
    (found,) = result.items
    size = -(-found.bits // 8)
    words = [found.outcomes[place : place + size] for place in range(0, len(found.outcomes), size)]
    return {int.from_bytes(word, "little"): count for word, count in zip(words, found.counts, strict=True)}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_engine_agrees_with_the_exact_probabilities(case: compile_corpus.Case) -> None:
    found = counts(case.program)
    expected = {int(key.replace(" ", ""), 2): float(value) for key, value in case.facts.items()}
    assert sum(found.values()) == SHOTS
    assert set(found) <= set(expected)
    for outcome, probability in expected.items():
        spread = math.sqrt(SHOTS * probability * (1 - probability))
        assert abs(found.get(outcome, 0) - SHOTS * probability) <= 4.5 * spread + 1e-9

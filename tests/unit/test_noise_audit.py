"""Noise in provenance: a job's own rules are checked, and a profile's are taken as they were told."""

from typing import Any

import msgspec
import pytest
from tests.unit import workload_runs

from qfleet_controlplane.planning import kinds, methods, plan
from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.service import auditing, submission
from qfleet_wire import api
from qfleet_wire.channel.provenance import Facts
from qfleet_wire.names import Millis
from qfleet_wire.noise import Noise

SEED = 3
BELL = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; h q[0]; cx q[0], q[1];'
GATES = (api.GateNoise(gate="cx", channel="depolarising", probability=0.1),)
READOUT = (api.ReadoutNoise(probabilities=((0.9, 0.1), (0.3, 0.7))),)


def request(**noise: Any) -> api.JobRequest:
    return api.JobRequest(
        kind="circuit.expect", program=BELL, observables=("ZZ",), shots=50, seed=SEED,
        noise=api.NoiseRequest(**noise),
    )  # fmt: skip


def faults(asked: api.JobRequest, whole: Specification) -> list[str]:
    planned = kinds.plan(whole, plan.Fleet(1, 1, kinds.rates(whole)))
    facts = Facts("job-1", "fleet", "succeeded", Millis(0), SEED, whole.agree, whole.copies, "0")
    return [text for _, text in auditing._specification(auditing._Job(facts, asked, whole, planned))]


@pytest.mark.parametrize("method", ["density", "trajectories"])
def test_a_noisy_job_is_what_its_request_compiles_to(method: str) -> None:
    asked = request(gates=GATES, readout=READOUT, method=method)
    assert faults(asked, workload_runs.specified(asked)) == []


def test_rules_that_were_changed_are_found() -> None:
    asked = request(gates=GATES, readout=READOUT)
    other = request(gates=(msgspec.structs.replace(GATES[0], probability=0.2),), readout=READOUT)
    assert faults(asked, workload_runs.specified(other)) == [
        "the request does not compile to it: noise differs"
    ]


def test_the_noise_of_a_profile_is_taken_as_it_was_told() -> None:
    asked = request(profile="a")
    known = submission.Known(noise={"a": Noise(gates=GATES, readout=READOUT)})
    whole = methods.choose(submission.specify(asked, SEED, known), ())
    assert faults(asked, whole) == []
    longer = msgspec.structs.replace(asked, program=BELL + " x q[0];")
    assert "the request does not compile to it: program differs" in faults(longer, whole)

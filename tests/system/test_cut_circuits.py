"""A circuit that no device can hold runs on devices that can hold half of it."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.system import line_circuit
from tests.system.fleet import LocalFleet
from tests.system.verifying import findings, forged, verify

from qfleet import AmplitudesResultView, ExpectResultView, JobRequest, Refused
from qfleet_wire.channel import provenance

PROFILE = """
name = "small"
version = 1
description = "A board that can hold 18 qubits"
engines = ["echo", "qulacs"]

[recognise]
rank = 0

[budget]
workers = 1
task_memory_mib = 256
max_qubits = 18
max_shots = 1_000_000
task_seconds = 600
disk_mib = 256
disk_reserve_mib = 16

[link]
keep_alive_s = 60
heartbeat_s = 30
"""
PATIENCE_S = 120.0
EXACT = 1e-10
LINE = line_circuit.line(32, 8, seed=4)
"""Its state vector would take 64 GiB."""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFleet]:
    directory = tmp_path_factory.mktemp("cut")
    profiles = directory / "profiles"
    profiles.mkdir()
    (profiles / "small.toml").write_text(PROFILE)
    settings = f'profiles_dir = "{profiles}"\n'
    with LocalFleet(directory, agents=3, profile="small", settings=settings) as started:
        yield started


def test_values_of_32_qubits_on_three_devices_of_18_agree_with_a_matrix_product_state(
    fleet: LocalFleet,
) -> None:
    products = [{qubit: "Z"} for qubit in range(0, 32, 5)] + [{15: "X", 16: "Y"}, {0: "Z", 14: "Y", 31: "X"}]
    observables = [" ".join(f"{letter}{qubit}" for qubit, letter in each.items()) for each in products]
    weighted = "0.5*Z0 Z31 - 2*X15 X16 + 0.25"
    request = JobRequest(
        kind="circuit.expect", program=LINE.program, observables=(*observables, weighted), name="line"
    )
    with fleet.connect() as connection:
        job = connection.submit(request)
        assert "16 + 16 qubits through 4 gates, 16 paths" in job.plan[0], job.plan
        assert "32 qubits as a whole (at most 18)" in job.plan[0]
        connection.wait(job.id, timeout_s=PATIENCE_S)
        view = connection.result(job.id)
    assert isinstance(view, ExpectResultView)
    assert view.status == "succeeded"
    assert len(view.sources) == 3, "all three devices took part"
    wanted = [line_circuit.expectation(LINE, each) for each in products]
    pairs = [line_circuit.expectation(LINE, each) for each in ({0: "Z", 31: "Z"}, {15: "X", 16: "X"})]
    wanted.append(0.5 * pairs[0] - 2 * pairs[1] + 0.25)
    np.testing.assert_allclose([each.value for each in view.items[0].values], wanted, rtol=0, atol=EXACT)
    assert all(each.exact for each in view.items[0].values)


def test_amplitudes_of_32_qubits_agree_too(fleet: LocalFleet) -> None:
    bitstrings = ("0" * 32, "01" * 16, "1" * 32, "0" * 16 + "1" * 16)
    request = JobRequest(kind="circuit.amplitudes", program=LINE.program, bitstrings=bitstrings)
    with fleet.connect() as connection:
        view = connection.run(request, timeout_s=PATIENCE_S)
    assert isinstance(view, AmplitudesResultView)
    found = [complex(each.real, each.imaginary) for each in view.items[0].amplitudes]
    wanted = [line_circuit.amplitude(LINE, each) for each in bitstrings]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=EXACT)
    np.testing.assert_allclose(
        found, wanted, rtol=1e-7
    )  # amplitudes are small: most of their digits are right
    np.testing.assert_allclose(
        [each.probability for each in view.items[0].amplitudes], np.abs(wanted) ** 2, rtol=1e-7
    )


def test_two_devices_agree_about_every_part(fleet: LocalFleet) -> None:
    made = line_circuit.line(24, 3, seed=9)
    request = JobRequest(kind="circuit.expect", program=made.program, observables=("Z11 Z12",), agree=2, of=3)
    with fleet.connect() as connection:
        view = connection.run(request, timeout_s=PATIENCE_S)
    assert isinstance(view, ExpectResultView)
    wanted = line_circuit.expectation(made, {11: "Z", 12: "Z"})
    assert abs(view.items[0].values[0].value - wanted) < EXACT


@pytest.fixture(scope="module")
def fan(fleet: LocalFleet) -> tuple[ExpectResultView, bytes]:
    """A gradient and its bundle: an angle is copied along 24 qubits, the last of which is turned."""
    copies = "".join(f"cx q[{at}], q[{at + 1}];" for at in range(23))
    program = 'OPENQASM 3.0; include "stdgates.inc"; input float a; input float b; qubit[24] q;'
    request = JobRequest(
        kind="circuit.expect", program=f"{program} ry(a) q[0]; {copies} rx(b) q[23];",
        observables=("Z23", "Z0 Z23"), gradient=True,
        parameters=({"a": 0.4, "b": 1.1}, {"a": 2.0, "b": -0.3}),
    )  # fmt: skip
    with fleet.connect() as connection:
        job = connection.submit(request)
        assert any(sentence.startswith("Cut into 2 parts") for sentence in job.plan), job.plan
        connection.wait(job.id, timeout_s=PATIENCE_S)
        view = connection.result(job.id)
        assert isinstance(view, ExpectResultView)
        return view, connection.provenance(job.id)


def test_a_gradient_over_parts_is_the_one_in_closed_form(fan: tuple[ExpectResultView, bytes]) -> None:
    """⟨Z23⟩ = cos a cos b, for CX copies what is 0 or 1; ⟨Z0 Z23⟩ = cos b."""
    view, _ = fan
    for item in view.items:
        a, b = item.parameters["a"], item.parameters["b"]
        found = [each.value for each in item.values]
        np.testing.assert_allclose(found, [math.cos(a) * math.cos(b), math.cos(b)], rtol=0, atol=EXACT)
        slopes = [each[name] for each in item.gradient for name in ("a", "b")]
        wanted = [-math.sin(a) * math.cos(b), -math.cos(a) * math.sin(b), 0.0, -math.sin(b)]
        np.testing.assert_allclose(slopes, wanted, rtol=0, atol=EXACT)


def test_the_bundle_of_a_cut_job_verifies_and_its_parts_give_the_same_again(
    fan: tuple[ExpectResultView, bytes], tmp_path: Path
) -> None:
    file = tmp_path / "fan.bundle"
    file.write_bytes(fan[1])
    code, answer = verify(file, "--rerun", "2")
    assert (code, answer["findings"], answer["unchecked"]) == (0, [], [])
    assert answer["signatures"]


def test_a_value_that_does_not_follow_from_the_parts_is_found_out(
    fleet: LocalFleet, fan: tuple[ExpectResultView, bytes], tmp_path: Path
) -> None:
    """Signed anew with the controller's own key: only putting the parts together again can tell."""
    told = json.loads(provenance.read(fan[1]).parts["result"])
    told["items"][0]["values"][0]["value"] += 1e-6
    file = tmp_path / "forged.bundle"
    file.write_bytes(forged(fleet.directory, fan[1], {"result": json.dumps(told).encode()}))
    code, answer = verify(file)
    assert (code, findings(answer)) == (3, {"result"})


def test_a_circuit_with_too_many_crossings_is_refused_with_their_number(fleet: LocalFleet) -> None:
    lines = [f"cx q[{qubit}], q[{qubit + 1}];" for qubit in range(31)] * 40
    tangled = "\n".join(['OPENQASM 3.0; include "stdgates.inc"; qubit[32] q;', *lines])
    with fleet.connect() as connection, pytest.raises(Refused) as refused:
        connection.submit(JobRequest(kind="circuit.expect", program=tangled, observables=("Z0",)))
    assert "2^40 paths" in str(refused.value)
    assert "at most 18" in str(refused.value)

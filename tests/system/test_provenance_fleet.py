"""Provenance bundles of a real fleet: fetched, verified offline, run again, and found out when touched."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.system import processes
from tests.system.fleet import CONTROL_PLANE, LocalFleet
from tests.system.verifying import findings, forged, verify

from qfleet import Fleet, JobRequest
from qfleet_wire.channel import provenance, verification

BELL = """OPENQASM 3.0;
include "stdgates.inc";
input float theta;
qubit[2] q; bit[2] c;
h q[0]; ry(theta) q[1]; cx q[0], q[1];
c = measure q;
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFleet]:
    with LocalFleet(tmp_path_factory.mktemp("provenance"), agents=3) as started:
        yield started


@pytest.fixture(scope="module")
def bundle(site: LocalFleet) -> Path:
    """Of a job about which two of three devices agreed."""
    request = JobRequest(
        kind="circuit.sample", program=BELL, shots=4096, agree=2, of=3, name="bell",
        parameters=tuple({"theta": 0.1 * step} for step in range(3)),
    )  # fmt: skip
    with site.connect() as fleet:
        job = run(fleet, request)
        assert (job.agree, job.copies) == (2, 3)
        file = site.directory / "bundle"
        file.write_bytes(fleet.provenance(job.job))
    return file


def run(fleet: Fleet, request: JobRequest) -> provenance.Facts:
    """Run a job; what its bundle says of it."""
    job = fleet.submit(request)
    detail = fleet.wait(job.id, timeout_s=120.0)
    assert detail.job.status == "succeeded", detail.job
    facts = verification.check(fleet.provenance(job.id)).facts
    assert facts is not None
    return facts


def test_a_bundle_of_a_redundant_job_verifies_and_its_tasks_give_the_same_again(
    site: LocalFleet, bundle: Path
) -> None:
    record_file = next((site.directory / CONTROL_PLANE / "authority").glob("*record*"))
    code, answer = verify(bundle, "--authority", str(record_file), "--rerun", "2")
    assert (code, answer["findings"], answer["unchecked"]) == (0, [], [])
    assert answer["anchored"]
    assert answer["good"]
    assert answer["signatures"]


def test_with_another_authority_nothing_holds(bundle: Path) -> None:
    code, answer = verify(bundle, "--authority", "00" * 32)
    assert code == 3
    assert "authority" in findings(answer)


def test_every_device_that_agreed_has_signed(bundle: Path) -> None:
    checked = verification.check(bundle.read_bytes())
    assert not checked.findings
    groups: dict[int, set[str]] = {}
    for one in checked.evidence:
        groups.setdefault(one.position // 3, set()).add(one.device)
        assert checked.told[one.position].engine == "qulacs"
    assert all(len(devices) == 2 for devices in groups.values())


def test_a_controller_that_signs_what_does_not_follow_is_found_out(
    site: LocalFleet, bundle: Path, tmp_path: Path
) -> None:
    """Signed anew with the controller's own key: only the audit can tell."""
    told = msgspec.json.decode(provenance.read(bundle.read_bytes()).parts["result"])
    counts = told["items"][0]["counts"]
    counts["00"] += 10
    counts["11"] -= 10
    made = tmp_path / "forged"
    made.write_bytes(forged(site.directory, bundle.read_bytes(), {"result": msgspec.json.encode(told)}))
    assert not verification.check(made.read_bytes()).findings
    code, answer = verify(made)
    assert (code, findings(answer)) == (3, {"result"})


def test_devices_answer_probes_rightly_and_are_trusted_more(site: LocalFleet) -> None:
    request = JobRequest(
        kind="circuit.sample", program=BELL, shots=2000, parameters=({"theta": 1.0},), probes=6
    )
    with site.connect() as fleet:
        before = sum(device.confirmed for device in fleet.devices())
        job = fleet.submit(request)
        fleet.wait(job.id, timeout_s=60.0)
        mixed = [view for view in fleet.jobs() if view.name == f"probe of {job.id}"]
        assert len(mixed) == 6
        for probe in mixed:
            assert fleet.wait(probe.id, timeout_s=60.0).job.status == "succeeded"
        devices = fleet.devices()
        assert sum(device.confirmed for device in devices) - before == 6
        assert all(device.contradicted == 0 for device in devices)


def test_the_command_writes_a_bundle_beside_the_result(
    site: LocalFleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site.connect() as fleet:
        job = run(fleet, JobRequest(kind="probe.echo", items=5)).job
        monkeypatch.setenv("QFLEET_URL", fleet.url)
    monkeypatch.setenv("QFLEET_TOKEN_FILE", str(site.directory / CONTROL_PLANE / "admin.token"))
    file = tmp_path / "echo.bundle"
    command = [processes.tool("qfleet"), "job", "result", job, "--provenance", str(file)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    code, answer = verify(file, "--rerun", "100000")
    assert (code, answer["findings"], answer["unchecked"]) == (0, [], [])
    assert answer["rerun"] == answer["results"], "what was asked for is not what was done"

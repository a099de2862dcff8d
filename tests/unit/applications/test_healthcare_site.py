"""Data that stay at their site: nothing of them reaches the fleet, and the local engine gives the same."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.unit.applications.healthcare_desk import Exact, expectations, fidelities
from tests.unit.applications.healthcare_site_engine import here

from qfleet import errors
from qfleet.command import tools
from qfleet_applications.errors import InvalidData, InvalidProblem, TooLarge, UnexpectedResult
from qfleet_applications.healthcare import cohorts, pseudonyms, site, wording
from qfleet_applications.healthcare.screening import ScreenStudy
from qfleet_applications.healthcare.site import SiteKernels
from qfleet_wire import codec, workload

KEY = bytes(range(32))
POINTS = np.random.default_rng(5).uniform(0, 1, (6, 3))


def test_the_local_engine_gives_the_kernels_of_the_formulas() -> None:
    local = SiteKernels(here)
    for feature_map, entangled in (("zz", True), ("product", False)):
        found = local.fidelities([POINTS, POINTS[:2]], feature_map)  # type: ignore[arg-type] # of a loop
        expected = fidelities(POINTS, POINTS, entangled=entangled)
        assert found[0] == pytest.approx(expected, abs=1e-10)
        assert found[1] == pytest.approx(expected[:2, :2], abs=1e-10)
    block = local.block(POINTS[:2], POINTS[2:], "zz")
    assert block == pytest.approx(fidelities(POINTS[:2], POINTS[2:], entangled=True), abs=1e-10)
    whole, part = local.projections([POINTS, POINTS[:2]])
    assert whole == pytest.approx(expectations(POINTS), abs=1e-10)
    assert part == pytest.approx(whole[:2], abs=1e-12)


def test_small_kernels_share_a_process_and_large_ones_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[bytes] = []
    local = SiteKernels(lambda work: given.append(work) or here(work))  # type: ignore[func-returns-value] # notes it
    together = local.fidelities([POINTS, POINTS], "zz")
    assert len(given) == 1
    monkeypatch.setattr(site, "_MOST_ENTRIES", 71)
    apart = local.fidelities([POINTS, POINTS], "zz")
    assert len(given) == 3
    assert np.array_equal(together, apart)


def test_the_command_beside_this_one_computes_a_block() -> None:
    block = SiteKernels().block(POINTS, POINTS, "zz")
    assert block == pytest.approx(fidelities(POINTS, POINTS, entangled=True), abs=1e-10)


def test_no_row_reaches_the_fleet_in_any_form() -> None:
    cohort = cohorts.breast_cancer(KEY).part(40, 0)
    desk = Exact()
    study = ScreenStudy(cohort, 2, "data-local", local=SiteKernels(here))
    report = study.conduct(desk)
    assert desk.asked == []
    assert study.requests() == ()
    assert report.settings["placement"] == "data-local"
    assert wording.STAYED in report.notes
    assert wording.SENT not in report.notes
    sent = ScreenStudy(cohort, 2).conduct(Exact())
    assert [one.fleet.value for one in sent.comparisons] == [one.fleet.value for one in report.comparisons]


def test_a_users_file_stays_unless_told() -> None:
    assert wording.placement(None, own=True) == "data-local"
    assert wording.placement(None, own=False) == "fleet"
    assert wording.placement("fleet", own=True) == "fleet"
    with pytest.raises(InvalidProblem, match="no placement 'cloud'"):
        wording.placement("cloud", own=True)


def test_states_too_wide_are_refused_with_their_qubits() -> None:
    wide = np.zeros((2, 21))
    with pytest.raises(TooLarge, match="21 qubits") as refused:
        SiteKernels(here).block(wide, wide, "zz")
    assert refused.value.qubits == 21


def test_a_site_without_engine_is_told_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "_find", lambda _: None)
    with pytest.raises(errors.UserError, match="local engine") as refused:
        site.engine(b"")
    assert "qfleet-agent[circuits]" in str(refused.value.hint)


def test_another_block_than_asked_is_no_answer() -> None:
    empty = codec.encode(workload.KernelResult(()))
    with pytest.raises(UnexpectedResult, match="no block of shape"):
        SiteKernels(lambda _: empty).block(POINTS, POINTS, "zz")


def test_equal_rows_are_told() -> None:
    assert wording.repeated(POINTS) == ()
    (told,) = wording.repeated(np.vstack([POINTS, POINTS[:2]]))
    assert told.startswith("2 of 8 rows equal another")


def test_pseudonyms_need_their_key(tmp_path: Path) -> None:
    one = pseudonyms.pseudonyms(KEY, ("1", "2"))
    assert one == pseudonyms.pseudonyms(KEY, ("1", "2"))
    assert not set(one) & set(pseudonyms.pseudonyms(bytes(32), ("1", "2")))
    openssl = subprocess.run(
        ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{KEY.hex()}"],
        input=b"1",
        capture_output=True,
        check=True,
    )
    assert openssl.stdout.decode().split()[-1].startswith(one[0])
    file = tmp_path / "key"
    assert pseudonyms.kept(file, KEY) == pseudonyms.kept(file, bytes(32)) == KEY
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    with pytest.raises(InvalidData, match="others may read the key"):
        pseudonyms.kept(file, KEY)


def write(file: Path, heading: str, rows: int = 40) -> Path:
    drawn = np.random.default_rng(1).normal(50, 9, rows)
    lines = [f"P{at:05d},{age:.2f},{at % 2},{at + 1}" for at, age in enumerate(drawn)]
    file.write_text("\n".join([heading, *lines]) + "\n")
    return file


def test_a_users_file_is_read_with_its_units_and_without_its_records(tmp_path: Path) -> None:
    file = write(tmp_path / "own.csv", "record,age [year],ill,stay [day]")
    found = cohorts.load(file, ("ill", "stay"), (), KEY)
    assert found.features == ("age",)
    assert found.rows.shape == (40, 1)
    assert found.labels.tolist() == [0, 1] * 20
    assert found.times is not None
    assert found.names == pseudonyms.pseudonyms(KEY, tuple(f"P{at:05d}" for at in range(40)))
    with pytest.raises(InvalidData, match="it is in \\[year\\], and \\[month\\] is needed"):
        cohorts.load(file, ("ill", ""), ("age [month]",), KEY)
    with pytest.raises(InvalidData, match="no such column"):
        cohorts.load(file, ("label", ""), ("age",), KEY)
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines, "P00003,41,0,7"]) + "\n")
    with pytest.raises(InvalidData, match="line 42, column 'record': a record stands there twice"):
        cohorts.load(file, ("ill", ""), ("age",), KEY)
    file.write_text("\n".join([*lines, "P00040,1e200,0,7"]) + "\n")
    with pytest.raises(InvalidData, match="1e200 is not within"):
        cohorts.load(file, ("ill", ""), ("age",), KEY)
    hours = write(tmp_path / "hours.csv", "record,age [year],ill,stay [hour]")
    with pytest.raises(InvalidData, match="\\[day\\] is needed"):
        cohorts.load(hours, ("ill", "stay"), (), KEY)

"""Jobs in files: what they become, and how they are refused."""

from pathlib import Path

import pytest

from qfleet import errors, jobfile
from qfleet_wire import api


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("bell.toml", 'kind = "circuit.sample"\nprogram = "x"\nshots = 3\nresidency = ["EU"]\n'),
        ("bell.json", '{"kind": "circuit.sample", "program": "x", "shots": 3, "residency": ["EU"]}'),
    ],
)
def test_a_job_file_is_a_request_named_like_the_file(tmp_path: Path, name: str, text: str) -> None:
    file = written(tmp_path, name, text)
    assert jobfile.is_job(file)
    expected = api.JobRequest(kind="circuit.sample", name="bell", program="x", shots=3, residency=("EU",))
    assert jobfile.load(file) == expected


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('kind = "circuit.sample"\nshot = 3\n', "shot", "shots"),
        ('kind = "circuit.sampel"\n', "$.kind", "`circuit.sample`"),
        ('kind = "circuit.sample"\nshots = "3"\n', "$.shots", ""),
        ('kind = "anneal.sample"\n[work]\nkind = "nothing"\n', "$.work", "use `amplitude.estimate` or"),
        ("", "missing required field `kind`", "`circuit.sample` or"),
        ("kind = \n", "not valid TOML", ""),
    ],
)
def test_a_slip_is_told_with_its_place(tmp_path: Path, text: str, message: str, hint: str) -> None:
    with pytest.raises(errors.UserError) as caught:
        jobfile.load(written(tmp_path, "a.toml", text))
    assert message in str(caught.value)
    assert hint in caught.value.hint


def test_what_is_no_object_or_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.UserError, match="holds no job"):
        jobfile.load(written(tmp_path, "a.json", "[1]"))
    with pytest.raises(errors.UserError, match="cannot read"):
        jobfile.load(tmp_path / "missing.toml")
    assert not jobfile.is_job(tmp_path / "bell.qasm")

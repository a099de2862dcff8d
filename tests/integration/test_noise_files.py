"""Noise in files and options of the terminal."""

from pathlib import Path

import pytest
from tests.integration import fake_controlplane as fakes
from typer.testing import CliRunner

from qfleet import errors, jobfile
from qfleet.command.application import application
from qfleet_controlplane import profiles
from qfleet_controlplane.errors import ConfigurationError
from qfleet_wire import api, noise

NOISE = """
method = "density"

[[gates]]
gate = "cx"
channel = "depolarising"
probability = 0.01

[[readout]]
probabilities = [[0.9, 0.1], [0, 1]]
"""
ASKED = api.NoiseRequest(
    gates=(api.GateNoise(gate="cx", channel="depolarising", probability=0.01),),
    readout=(api.ReadoutNoise(probabilities=((0.9, 0.1), (0.0, 1.0))),),
    method="density",
)


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_a_file_holds_what_stands_under_noise_in_a_job(tmp_path: Path) -> None:
    assert jobfile.load_noise(written(tmp_path, "noise.toml", NOISE)) == ASKED
    job = 'kind = "circuit.sample"\n[noise]\nprofile = "a"\n'
    assert jobfile.load(written(tmp_path, "job.toml", job)).noise == api.NoiseRequest(profile="a")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (NOISE.replace("probability =", "probabilty ="), "probabilty", "probability"),
        (NOISE.replace("0.01", '"0.01"'), "$.gates[0].probability", ""),
        ('method = "densty"', "$.method", "`density`"),
        ("gates = ", "not valid TOML", ""),
    ],
)
def test_a_slip_is_told_with_its_place(tmp_path: Path, text: str, message: str, hint: str) -> None:
    with pytest.raises(errors.UserError) as caught:
        jobfile.load_noise(written(tmp_path, "noise.toml", text))
    assert message in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.toml", "cannot read the noise"),
        ("bell.qasm", "is of no file type known"),
        ("list.json", "holds no noise"),
    ],
)
def test_a_file_that_holds_no_noise_is_called_so(tmp_path: Path, name: str, words: str) -> None:
    file = tmp_path / name if name.startswith("missing") else written(tmp_path, name, "[1]")
    with pytest.raises(errors.UserError, match=words) as caught:
        jobfile.load_noise(file)
    assert "job" not in str(caught.value).replace(str(tmp_path), "")


def test_what_is_no_object_is_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.UserError, match="holds no noise"):
        jobfile.load_noise(written(tmp_path, "noise.json", "[]"))


def test_the_option_sends_the_noise_with_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, noise = written(tmp_path, "a.qasm", "qubit q;"), written(tmp_path, "noise.toml", NOISE)
    with fakes.running() as fake:
        fake.on("POST", "jobs", fakes.of(fakes.detail().job, 201))
        monkeypatch.setenv("QFLEET_URL", fake.url)
        monkeypatch.setenv("QFLEET_TOKEN_FILE", str(written(tmp_path, "token", fakes.TOKEN)))
        done = CliRunner().invoke(application, ["run", str(program), "--noise", str(noise)])
        assert done.exit_code == 0, done.output
        assert fake.asked[0].json["noise"] == {
            "gates": [{"gate": "cx", "channel": "depolarising", "probability": 0.01}],
            "readout": [{"probabilities": [[0.9, 0.1], [0.0, 1.0]]}],
            "method": "density",
        }


def test_the_control_plane_knows_the_noise_of_the_profiles_that_it_was_shipped_with() -> None:
    catalogue = Path(__file__).parents[2] / "firmware_profiles"
    found = profiles.noise(str(catalogue))
    assert set(found) == {"emulated-processor"}
    assert isinstance(found["emulated-processor"], noise.Noise)
    assert profiles.noise("") == found


def test_a_folder_without_profiles_or_with_a_wrong_one_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="has no profiles"):
        profiles.noise(str(tmp_path))
    written(tmp_path, "a.toml", "name = 3")
    with pytest.raises(ConfigurationError, match=r"cannot read the profile .*a\.toml"):
        profiles.noise(str(tmp_path))

"""The commands: a user's file is read, stays here, and the fleet is asked nothing."""

import json
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from tests.unit.applications.healthcare_site_engine import here
from typer.testing import CliRunner

from qfleet.command import tools
from qfleet_applications.frame import carrying
from qfleet_applications.healthcare.command import application
from qfleet_wire.channel.auditing import Computed


class Silent:
    """A fleet that notes whatever it is asked; it can answer nothing."""

    asked: list[str]

    @classmethod
    def from_configuration(cls) -> Self:
        cls.asked = []
        return cls()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        raise AssertionError(f"the fleet was asked to {name}")


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the local engine was given."""
    given: list[bytes] = []

    def compute(work: bytes) -> tuple[Computed, str]:
        given.append(work)
        return Computed("qulacs", "1", "here", here(work)), ""

    monkeypatch.setattr(tools, "compute", compute)
    monkeypatch.setattr(carrying, "Fleet", Silent)
    return given


def patients(file: Path) -> Path:
    drawn = np.random.default_rng(2)
    rows = [
        f"Ms. {at},{drawn.normal(60 + 9 * (at % 2), 8):.3f},{drawn.normal():.3f},{at % 2}" for at in range(40)
    ]
    file.write_text("\n".join(["record,age [year],marker,label", *rows]) + "\n")
    return file


def test_a_users_file_is_screened_here_and_the_fleet_is_asked_nothing(
    tmp_path: Path, computed: list[bytes]
) -> None:
    file = patients(tmp_path / "own.csv")
    ended = CliRunner().invoke(application, ["screen", str(file), "--json"])
    assert ended.exit_code == 0, ended.output
    assert Silent.asked == []
    assert len(computed) == 15
    report = json.loads(ended.stdout)
    assert report["settings"]["placement"] == "data-local"
    assert report["jobs"] == []
    assert "Ms. " not in ended.stdout


def test_only_who_says_so_sends_a_file_to_the_fleet(tmp_path: Path, computed: list[bytes]) -> None:
    file = patients(tmp_path / "own.csv")
    ended = CliRunner().invoke(application, ["screen", str(file), "--placement", "fleet"])
    assert isinstance(ended.exception, AssertionError)
    assert Silent.asked == ["plan"]
    assert computed == []

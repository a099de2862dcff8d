"""``qfleet device telemetry``: what a device measured, and what of it is missing."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from tests.integration import fake_controlplane as fakes
from tests.integration.fake_controlplane import ControlPlane
from typer.testing import CliRunner

from qfleet.command.application import application
from qfleet_wire import api
from qfleet_wire.names import Millis


def sample(number: int) -> api.TelemetrySample:
    return api.TelemetrySample(
        sequence=number,
        at=Millis(1_800_000_000_000 + 1000 * number),
        load=0.25,
        memory_free_bytes=1 << 30,
        disk_free_bytes=1 << 33,
        running=1,
        outbox=2,
        finished=number,
        temperature_c=48.0,
    )


VIEW = api.TelemetryView("pi-1", (sample(7), sample(8), sample(12)), (api.TelemetryGap(8, 12),), 5)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ControlPlane]:
    token = tmp_path / "token"
    token.write_text(fakes.TOKEN + "\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    monkeypatch.setenv("QFLEET_TOKEN_FILE", str(token))
    monkeypatch.setenv("COLUMNS", "120")
    with fakes.running() as control_plane:
        monkeypatch.setenv("QFLEET_URL", control_plane.url)
        control_plane.on("GET", "devices/pi-1/telemetry", fakes.of(VIEW))
        yield control_plane


def test_a_gap_stands_where_samples_are_missing(fake: ControlPlane) -> None:
    result = CliRunner().invoke(application, ["device", "telemetry", "pi-1", "--limit", "20"])
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stdout.splitlines() if line.strip()]
    (gap,) = (number for number, line in enumerate(lines) if "3 missing" in line)
    assert len(lines) == 1 + len(VIEW.samples) + 1
    assert gap == 3
    assert "5 lost on the device" in result.stderr
    asked = parse_qs(fake.asked[0].query)
    assert asked["limit"] == ["20"]
    assert int(asked["since"][0]) > 0


def test_as_json_it_is_what_the_api_said(fake: ControlPlane) -> None:
    result = CliRunner().invoke(application, ["device", "telemetry", "pi-1", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["gaps"] == [{"after": 8, "before": 12}]

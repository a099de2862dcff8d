"""The quantum network of a real control plane: what ships, from the command line and over HTTP."""

import datetime as dt
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.system import processes
from tests.system.fleet import CONTROL_PLANE, QUICK_LINK, LocalFleet

from qfleet import Fleet, errors
from qfleet_controlplane.network import scenarios

LIMIT_S = 120.0
SETTINGS = f"""{QUICK_LINK}
[[link.ways]]
name = "leo"
class = "satellite"
batch_ms = 50
contact = {{ planned = true }}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFleet]:
    with LocalFleet(tmp_path_factory.mktemp("network"), agents=1, settings=SETTINGS) as started:
        yield started


@pytest.fixture
def fleet(site: LocalFleet) -> Iterator[Fleet]:
    with site.connect() as connection:
        yield connection


def command(
    site: LocalFleet, *arguments: str, code: int = 0, group: str = "network"
) -> subprocess.CompletedProcess[str]:
    """Run ``qfleet network``, or another group of commands, as its user would."""
    with site.connect() as connection:
        url = connection.url
    token = str(site.directory / CONTROL_PLANE / "admin.token")
    environment = {**os.environ, "QFLEET_URL": url, "QFLEET_TOKEN_FILE": token, "COLUMNS": "200"}
    done = subprocess.run(
        [processes.tool("qfleet"), group, *arguments],
        env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert done.returncode == code, (done.stdout, done.stderr)
    return done


def test_the_scenarios_that_ship_are_listed_loaded_and_shown(site: LocalFleet) -> None:
    listed = json.loads(command(site, "list", "--json").stdout)
    assert {one["name"] for one in listed} == {"constellation", "metro-ring", "micius"}
    loaded = json.loads(command(site, "load", "metro-ring", "--json").stdout)
    assert (len(loaded["sites"]), len(loaded["fibres"]), loaded["basis"]) == (6, 6, "simulated")
    for fibre in loaded["fibres"]:
        assert 0 < fibre["secret_bps"] < fibre["plob_bps"]
        assert 0 < fibre["qber"] < 0.11
    shown = command(site, "show")
    assert "metro-ring" in shown.stdout
    assert "simulated" in shown.stderr


def test_the_published_pass_of_micius_is_found_from_the_command_line(site: LocalFleet) -> None:
    command(site, "load", "micius")
    told = json.loads(command(site, "passes", "--site", "xinglong", "--json").stdout)
    best = next(one for one in told["passes"] if abs(one["elevation_deg"] - 47.83) < 0.05)
    hour = 3600.0 * 16
    assert best["rise_s"] == pytest.approx(hour + 48 * 60 + 44, abs=1.0)
    assert best["set_s"] == pytest.approx(hour + 55 * 60 + 41, abs=1.0)
    assert best["range_km"] == pytest.approx(645.4, abs=0.5)
    assert best["night"]
    drawn = command(site, "passes", "--site", "xinglong").stdout
    assert "16:48:4" in drawn
    assert "47.8" in drawn
    routes = json.loads(command(site, "route", "xinglong", "graz", "--bits", "1000", "--json").stdout)
    assert routes["routes"], routes["reason"]
    assert [hop["receiver"] for hop in routes["routes"][0]["hops"]] == ["micius", "graz"]
    assert "micius" in command(site, "contacts", "--node", "micius", "--node", "graz").stdout
    assert "graz" in command(site, "plan").stdout


def test_the_constellation_is_planned_and_run(site: LocalFleet, fleet: Fleet) -> None:
    view = fleet.network.load(name="constellation")
    assert (len(view.satellites), len(view.fibres)) == (96, 40)
    assert view.passes > 5000
    plan = fleet.network.plan()
    assert len(plan.demands) == view.demands
    assert 0 < plan.booked_share < 1
    assert any(one.booked_bits > one.asked_bits / 2 for one in plan.demands)
    assert all(one.reason for one in plan.demands if one.booked_bits < one.asked_bits)
    started = fleet.network.simulate(speed=100_000.0, seed=3, restart=True)
    assert started.status == "running"
    *_, ended = fleet.network.watch()
    assert (ended.status, ended.at_s) == ("ended", view.duration_s)
    assert sum(one.served_bits for one in ended.services) > 0
    assert {one.kind for one in ended.alarms} <= {"missed", "empty"}
    assert "100.0 %" in command(site, "status").stdout


def test_a_scenario_is_printed_and_loaded_again(site: LocalFleet, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(command(site, "print", "metro-ring").stdout, encoding="utf-8-sig")
    assert mine.read_text(encoding="utf-8-sig") == scenarios.text_of("metro-ring")
    command(site, "load", str(mine))
    assert command(site, "print").stdout == scenarios.text_of("metro-ring")
    assert json.loads(command(site, "print", "--json").stdout)["source"] == "mine.toml"
    assert "no scenario 'mars' ships" in command(site, "print", "mars", code=3).stderr


def test_what_is_wrong_is_refused_with_line_and_reason(site: LocalFleet, tmp_path: Path) -> None:
    command(site, "load", "micius")
    mine = tmp_path / "mine.toml"
    mine.write_text(scenarios.text_of("micius").replace("0  9993", "0  9994"))
    refused = command(site, "load", str(mine), code=3)
    assert "mine.toml, line" in refused.stderr
    assert "its checksum is 3" in refused.stderr
    mine.write_text(scenarios.text_of("micius").replace("altitude_m = 890.0", "altitude_m = -900.0"))
    assert "lies under the sea" in command(site, "load", str(mine), code=3).stderr
    assert "cannot be read" in command(site, "load", str(tmp_path / "none.toml"), code=2).stderr
    assert "no scenario 'mars' ships" in command(site, "load", "mars", code=3).stderr
    assert "did you mean 'xinglong'?" in command(site, "passes", "--site", "xinlong", code=3).stderr
    assert "no link that ever makes keys" in command(site, "break", "xinglong", "graz", code=3).stderr
    assert (
        "at most twice"
        in command(site, "contacts", "--node", "a", "--node", "b", "--node", "c", code=2).stderr
    )
    # Nothing of it has touched what was loaded.
    assert json.loads(command(site, "show", "--json").stdout)["name"] == "micius"


def one_satellite(epoch: dt.datetime) -> str:
    """A generated satellite over the stations of the one that ships, and a contact for the next hour."""
    text = scenarios.text_of("micius").replace("2016-12-19T00:00:00Z", f"{epoch:%Y-%m-%dT%H:%M:%SZ}")
    text = re.sub(r"\[\[satellites\]\].*?\n\n", "", text, count=1, flags=re.DOTALL)
    text = text.replace('name = "graz"\n', 'name = "graz"\ndevice = "device-0"\n')
    return (
        text
        + """
[[constellations]]
name = "one"
transmitter = "micius"
satellites = 1
planes = 1
phasing = 0
inclination_deg = 97.4
altitude_km = 500.0

[[contacts]]
a = "one-1-1"
b = "graz"
start = 0.0
end = 7200.0
rate_bps = 100.0
"""
    )


def test_a_device_shows_the_window_that_the_loaded_scenario_gives_it(site: LocalFleet, fleet: Fleet) -> None:
    before = fleet.device("device-0").way
    assert before is not None
    assert (before.kind, before.contact, before.planned) == ("satellite", None, False)
    epoch = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(hours=1)
    view = fleet.network.load(text=one_satellite(epoch), source="mine.toml")
    assert [(one.node, one.enrolled) for one in view.devices] == [("graz", True)]

    def planned() -> bool:
        way = fleet.device("device-0").way
        return way is not None and way.planned

    site.wait_for("the device goes by the plan", planned)
    way = fleet.device("device-0").way
    assert way is not None
    assert way.contact is not None
    opens = round(1000 * epoch.timestamp())
    assert way.contact.opens == opens
    assert way.contact.closes >= opens + 7_200_000
    shown = command(site, "show", "device-0", group="device").stdout
    (line,) = (each for each in shown.splitlines() if each.startswith("contact"))
    assert "open until" in line
    assert line.rstrip().endswith("by the contact plan")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[LocalFleet]:
    """A fleet whose control plane may be killed."""
    with LocalFleet(tmp_path, agents=0) as started:
        yield started


def test_the_twin_survives_a_restart_and_answers_to_faults(own: LocalFleet) -> None:
    with own.connect() as fleet:
        with pytest.raises(errors.Refused, match="no scenario is loaded"):
            fleet.network.show()
        assert "qfleet network load" in command(own, "status", code=3).stderr
        fleet.network.load(name="metro-ring")
        command(own, "simulate", "--speed", "3600", "--restart")
        own.wait_for("keys are there", lambda: fleet.network.twin().at_s > 600.0)
        broken = json.loads(command(own, "break", "centre", "north", "--intercept", "1", "--json").stdout)
        assert [one["fault"] for one in broken["faults"]] == ["intercepted"]
        own.wait_for(
            "the eavesdropper is seen",
            lambda: any(one.kind == "qber" for one in fleet.network.twin().alarms),
        )
    own.kill(CONTROL_PLANE)
    own.start_control_plane()
    with own.connect() as fleet:
        after = fleet.network.twin()
        assert after.name == "metro-ring"
        assert after.at_s >= broken["at_s"]
        assert any(one.kind == "qber" for one in after.alarms)
        assert [(one.a, one.b, one.fault) for one in after.faults] == [("centre", "north", "intercepted")]
        assert json.loads(command(own, "mend", "centre", "north", "--json").stdout)["faults"] == []
        assert fleet.network.stop().status in {"stopped", "ended"}

"""Two controllers on one PostgreSQL, a region each, all as processes: their two devices make one key.

Orders reach the other controller's device through the store, and so does every message of the session.
"""

import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from tests.system import fleet, processes
from tests.system.processes import Processes

from qfleet import Fleet
from qfleet_agent import command as agent
from qfleet_controlplane import command as controlplane

DEVICES: Final = {"dev-a": "a", "dev-b": "b"}
APPLICATIONS: Final = {"dev-a": "alice", "dev-b": "bob"}
OTHER: Final = {"dev-a": "dev-b", "dev-b": "dev-a"}
LINE: Final = "The line to dev-"
MARK: Final = "Keys are delivered at https://127.0.0.1:"
PULSES: Final = 3_000_000
PATIENCE_S: Final = 240.0
SETTINGS: Final = """
[leases]
ttl_s = 20.0
renew_s = 1.0
look_s = 0.2
[keys]
low_water_bits = 0
path_ms = 600.0
"""
"""Sessions when they are asked for, and by codes: a round trip over the store takes half a second."""
SCENARIO: Final = """
name = "two-regions"
title = "a bright fibre between two regions"
epoch = 2026-01-01T00:00:00Z
hours = 1
[detectors.good]
efficiency = 0.9
dark_hz = 100.0
window_ns = 1.0
misalignment = 0.006
[sources.bright]
rate_hz = 50e6
intensities = [0.5, 0.2, 0.0]
probabilities = [0.4, 0.4, 0.2]
key_basis = 0.7
block_s = 1.0
[[sites]]
name = "here"
kind = "fibre"
latitude_deg = 40.0
longitude_deg = 117.0
altitude_m = 0.0
device = "dev-a"
[[sites]]
name = "there"
kind = "fibre"
latitude_deg = 40.01
longitude_deg = 117.0
altitude_m = 0.0
device = "dev-b"
[[fibres]]
a = "here"
b = "there"
length_km = 2.0
source = "bright"
detector = "good"
"""


class Place:
    """The processes of this test and what they are configured with."""

    def __init__(self, directory: Path, database: str, broker: str) -> None:
        self.directory = directory
        self.processes = Processes(directory)
        self._certificates = directory / "certificates"
        self._initialise(database, broker)

    def connect(self, controller: str) -> Fleet:
        """A controller's API, with the token of the first."""
        token = self.directory / "c1" / "admin.token"
        return fleet.connect(self.directory / controller, token)

    def lead(self) -> None:
        """Run both controllers until each leads a region."""
        for name in ("c1", "c2"):
            config = str(self.directory / name / "controlplane.toml")
            self.processes.start(name, processes.tool("qfleet-controlplane"), "run", "--config", config)
        token = self.directory / "c1" / "admin.token"
        folders = [self.directory / name for name in ("c1", "c2")]
        self.processes.wait_for(
            "both controllers answer", lambda: all(fleet.answers(folder, token) for folder in folders)
        )
        with self.connect("c1") as first:
            self.processes.wait_for(
                "each leads a region",
                lambda: sorted(one.controller or "" for one in first.regions()) == ["c1", "c2"],
            )

    def join(self, connected: Fleet) -> None:
        """Enrol a device in each region, and run it and its key process."""
        names = [word for one in APPLICATIONS.values() for word in ("--application", one)]
        made = ["keys", "certificates", str(self._certificates), "--host", "127.0.0.1", *names]
        assert agent.main(made) == 0
        for name, region in DEVICES.items():
            self._configure(name)
            token = connected.invite(name, region=region).token
            enrol = (processes.tool("qfleet-agent"), "enrol", "-", "--config", self._config(name))
            processes.run(enrol, text=f"{token}\n")
        for name in DEVICES:
            self.run(name)
            self._start(f"{name}-keys", "keys", "serve", "--config", self._config(name))

    def run(self, name: str) -> None:
        """Start a device's agent."""
        self._start(name, "run", "--config", self._config(name))

    def ports(self) -> Mapping[str, int]:
        """Where each key process serves, once both do and their line is there."""
        logs = {name: f"{name}-keys" for name in DEVICES}
        self.processes.wait_for(
            "a line joins them", lambda: all(LINE in self.processes.log(log) for log in logs.values())
        )
        return {name: int(self.processes.log(log).split(MARK)[1].split(".")[0]) for name, log in logs.items()}

    def ask(self, port: int, who: str, rest: str) -> dict[str, Any]:
        """Ask a key delivery by curl."""
        folder = self._certificates
        words = ["curl", "-sS", "--max-time", "20", "--cacert", f"{folder}/ca.crt"]
        words += ["--cert", f"{folder}/{who}.crt", "--key", f"{folder}/{who}.key"]
        words.append(f"https://127.0.0.1:{port}/api/v1/keys/{rest}")
        read: dict[str, Any] = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
        return read

    def _initialise(self, database: str, broker: str) -> None:
        passphrase, bundle = self.directory / "passphrase", self.directory / "bundle"
        passphrase.write_text("of a test\n")
        passphrase.chmod(0o600)
        regions = [word for one in ("a", "b") for word in ("--region", one, "--broker", f"{one}={broker}")]
        sealed = ["--passphrase-file", str(passphrase)]
        for name, more in (("c1", []), ("c2", ["--authority", str(bundle), *sealed])):
            config = self.directory / name / "controlplane.toml"
            made = ["init", "--directory", str(config.parent), "--fleet", "home", "--controller", name]
            made += ["--listen", "127.0.0.1:0", "--database", database, *regions, *more]
            assert controlplane.main(made) == 0
            with config.open("a") as file:
                file.write(SETTINGS)
            if name == "c1":
                exported = ["authority", "export", str(bundle), "--config", str(config), *sealed]
                assert controlplane.main(exported) == 0

    def _start(self, name: str, *arguments: str) -> None:
        self.processes.start(name, processes.tool("qfleet-agent"), *arguments)

    def _config(self, name: str) -> str:
        return str(self.directory / name / "agent.toml")

    def _configure(self, name: str) -> None:
        folder, keys = self.directory / name, self._certificates
        folder.mkdir()
        Path(self._config(name)).write_text(
            f"""
            state = "{folder / "state"}"
            profile = "generic"
            workers = 1
            {fleet.QUICK_LINK}
            [keys]
            port = 0
            certificate_file = "{keys}/server.crt"
            key_file = "{keys}/server.key"
            client_ca_file = "{keys}/ca.crt"
            applications = ["{APPLICATIONS[name]}"]
            [keys.peers.{OTHER[name]}]
            applications = ["{APPLICATIONS[OTHER[name]]}"]
            """
        )


@pytest.fixture
def place(tmp_path: Path, postgresql: str, mosquitto: str) -> Iterator[Place]:
    made = Place(tmp_path, postgresql, mosquitto)
    with contextlib.ExitStack() as stack:
        stack.callback(made.processes.stop_all)
        made.lead()
        yield made


def same_key(place: Place, ports: Mapping[str, int]) -> None:
    """An application's key is the same at the other end."""
    key = place.ask(ports["dev-a"], "alice", "bob/enc_keys?size=256")["keys"][0]
    fetched = place.ask(ports["dev-b"], "bob", f"alice/dec_keys?key_ID={key['key_ID']}")
    assert fetched["keys"] == [key]


def forwarded(connected: Fleet) -> float:
    """Messages between devices that a controller handed to the other by the store."""
    said = httpx.get(f"{connected.url}/metrics", timeout=PATIENCE_S).text
    found = [line for line in said.splitlines() if "handed-over" in line]
    return float(found[0].split()[-1]) if found else 0.0


def test_devices_of_two_controllers_regions_make_a_key_and_both_deliver_it(place: Place) -> None:
    with place.connect("c1") as first, place.connect("c2") as second:
        place.join(first)
        ports = place.ports()
        second.network.load(text=SCENARIO, source="two-regions.toml")
        ordered = second.keys.exchange(*DEVICES, pulses=PULSES)
        made = first.keys.wait_for_session(ordered.session, timeout_s=PATIENCE_S)
        assert made.status == "key", made
        same_key(place, ports)
        # Who leads a region stayed who it was: all of it went over two controllers.
        assert sorted(one.controller or "" for one in first.regions()) == ["c1", "c2"]
        assert forwarded(first) > 0
        an_agent_is_killed(place, first, ports)


def an_agent_is_killed(place: Place, connected: Fleet, ports: Mapping[str, int]) -> None:
    """``kill -9`` of an agent in the middle of a session: its key process goes on once it is back."""
    before = forwarded(connected)
    ordered = connected.keys.exchange(*DEVICES, pulses=PULSES)
    place.processes.wait_for("the session is under way", lambda: forwarded(connected) > before)
    place.processes.kill("dev-b")
    place.run("dev-b")
    made = connected.keys.wait_for_session(ordered.session, timeout_s=PATIENCE_S)
    assert (made.status, made.bits > 0) in {("key", True), ("aborted", False)}, made
    assert made.seen == "", made
    same_key(place, ports)

"""Keys of real key deliveries in the sessions of real devices: demanded or preferred, each used once."""

import base64
import http.client
import re
import sqlite3
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import msgspec
from tests.integration import key_processes
from tests.integration.key_processes import Served
from tests.integration.test_preshared_session import GENERIC, HEARTBEAT, echoes_through
from tests.system import processes
from tests.system.fleet import CONTROL_PLANE, QUICK_LINK, LocalFleet

from qfleet import configuration

ONE = "device-0"
SECRET = re.compile(r"[A-Za-z0-9+/]{43}=|[0-9a-fA-F]{64}")


class Deliveries:
    """A key delivery at the device's site and one at the control plane's, which share key material."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.sites = key_processes.prepare(folder, size=20_000)
        self.device, self.control = map(key_processes.serve, self.sites)
        self.material = (folder / "shared").read_bytes()

    def table(self, name: str, served: Served, who: str) -> str:
        """Settings of a caller."""
        folder = served.site.certificates
        return (
            f'[{name}]\nurl = "https://127.0.0.1:{served.port}"\nca_file = "{folder}/ca.crt"\n'
            f'certificate_file = "{folder}/{who}.crt"\nkey_file = "{folder}/{who}.key"\n'
        )

    def asked_again(self, key_id: str) -> int:
        """The status when the control plane's application asks for a key by its ID."""
        folder = self.control.site.certificates
        trust = ssl.create_default_context(cafile=folder / "ca.crt")
        trust.load_cert_chain(folder / "bob.crt", folder / "bob.key")
        with closing(
            http.client.HTTPSConnection("127.0.0.1", self.control.port, context=trust, timeout=30)
        ) as line:
            line.request("GET", f"/api/v1/keys/alice/dec_keys?key_ID={key_id}")
            reply = line.getresponse()
            reply.read()
            return reply.status


@contextmanager
def deliveries(folder: Path) -> Iterator[Deliveries]:
    found = Deliveries(folder)
    try:
        yield found
    finally:
        for served in (found.device, found.control):
            if served.process.returncode is None:
                served.stop()


class MixedFleet(LocalFleet):
    """One device, whose profile demands keys of the key delivery at its site, or prefers them."""

    def __init__(self, directory: Path, both: Deliveries, demand: str, device: str = "alice") -> None:
        profiles = directory / "profiles"
        profiles.mkdir()
        text = GENERIC.read_text().replace(HEARTBEAT, "heartbeat_s = 1")
        (profiles / "generic.toml").write_text(f'{text}\n[security]\nquantum_key = "{demand}"\n')
        table = both.table("channel.qkd", both.device, "alice")
        settings = f'profiles_dir = "{profiles}"\n{QUICK_LINK}\n{table}controller = "bob"\n'
        super().__init__(directory, agents=1, settings=settings)
        self._supply = both.table("security.qkd", both.control, "bob")
        self._supply += f'[security.qkd.devices]\n{ONE} = "{device}"\n'
        self._config_file = directory / CONTROL_PLANE / "controlplane.toml"

    def start_control_plane(self) -> None:
        """Give it its key delivery, then start it."""
        if "[security.qkd]" not in self._config_file.read_text():
            self._config_file.write_text(f"{self._config_file.read_text()}\n{self._supply}")
        super().start_control_plane()

    def says(self, words: str) -> None:
        """Wait until ``qfleet-agent status`` says so of an agent that runs."""
        config = str(self.directory / ONE / "agent.toml")
        command = (processes.tool("qfleet-agent"), "status", "--config", config)

        def holds() -> bool:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
            return done.returncode == 0 and words in done.stdout

        self.wait_for(f"the device says {words!r}", holds)

    def leave(self) -> None:
        """Cut the device's power; what it said last is no more."""
        self.kill(ONE)
        (self.directory / ONE / "state" / "status.json").unlink()

    def shows(self, words: str) -> None:
        """Wait until the control plane shows it of the device."""
        with self.connect() as client:
            self.wait_for(f"{words!r} is shown", lambda: words in client.device(ONE).quantum_key)

    def counted(self) -> dict[str, int]:
        """Full handshakes by what they mixed in, of ``/metrics``."""
        state = self.directory / CONTROL_PLANE
        address = msgspec.json.decode((state / "address.json").read_bytes())["api"]
        token = configuration.read_token(state / "admin.token")
        text = httpx.get(
            f"{address}/metrics", headers={"Authorization": f"Bearer {token}"}, trust_env=False
        ).text
        found = re.findall(r'qfleet_link_keys_mixed_total\{key="(\w+)"\} (\d+)', text)
        return {kind: int(count) for kind, count in found if int(count)}

    def used(self) -> list[str]:
        """IDs of delivered keys that have served, as the control plane stores them."""
        with closing(sqlite3.connect(self.directory / CONTROL_PLANE / "controlplane.db")) as store:
            rows = store.execute(
                "select value from meta where key = ?", (f"preshared-used/qkd:{ONE}",)
            ).fetchall()
        return [one.removeprefix("qkd:") for (row,) in rows for one in msgspec.msgpack.decode(row)]

    def forget_session(self) -> None:
        """Make the device's next handshake a full one, while its agent does not run."""
        with closing(sqlite3.connect(self.directory / ONE / "state" / "journal.sqlite")) as journal:
            assert journal.execute("delete from meta where name = 'resumption'").rowcount == 1
            journal.commit()

    def reveals(self, material: bytes) -> list[str]:
        """What in the logs is 32 bytes of the key material."""
        text = self.log(ONE) + self.log(CONTROL_PLANE)
        found = SECRET.findall(text)
        return [
            one
            for one in found
            if (bytes.fromhex(one) if len(one) == 64 else base64.b64decode(one)) in material
        ]


def test_a_device_that_must_mix_keys_opens_no_session_without_and_uses_each_once(tmp_path: Path) -> None:
    with deliveries(tmp_path / "keys") as both, MixedFleet(tmp_path, both, "require") as fleet:
        fleet.says("quantum key  mixed in (require)")
        fleet.shows("mixed in (require)")
        assert fleet.counted() == {"delivered": 1}
        config = str(fleet.directory / ONE / "agent.toml")
        looked = processes.run((processes.tool("qfleet-agent"), "check", "--config", config))
        assert re.search(r"fine +quantum key +https://127\S+ has [1-9]\d* keys to share with bob", looked)
        (first,) = fleet.used()
        assert both.asked_again(first) == 400
        with fleet.connect() as client:
            echoes_through(client)
        fleet.leave()
        both.device.stop()
        fleet.forget_session()
        fleet.start_agent(ONE)
        fleet.says("the profile requires a key of the key delivery: the key delivery at https://127.0.0.1")
        fleet.leave()
        again = key_processes.serve(both.device.site)
        try:
            file = Path(config)
            file.write_text(file.read_text().replace(f":{both.device.port}", f":{again.port}"))
            fleet.start_agent(ONE)
            fleet.says("link         connected")
            fleet.says("quantum key  mixed in (require)")
            used = fleet.used()
        finally:
            again.stop()
        assert used[0] == first != used[1]
        assert fleet.counted() == {"delivered": 2}
        assert [both.asked_again(one) for one in used] == [400, 400]
        assert fleet.reveals(both.material) == []


def test_a_device_that_prefers_keys_goes_on_without_and_both_sides_say_so(tmp_path: Path) -> None:
    # The control plane takes the device for another application: its key delivery knows no such key.
    with deliveries(tmp_path / "keys") as both, MixedFleet(tmp_path, both, "prefer", "nobody") as fleet:
        fleet.says("quantum key  NOT mixed in (prefer): the controller does not get key")
        fleet.shows("NOT mixed in (prefer)")
        assert fleet.counted() == {"none": 1}
        assert fleet.used() == []
        assert "the key of the hello is not there: dec_keys: 400" in fleet.log(CONTROL_PLANE)
        assert "(preshared-key): the key of the hello is not there" in fleet.log(ONE)
        assert fleet.reveals(both.material) == []

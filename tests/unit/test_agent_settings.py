from pathlib import Path

import pytest

from qfleet_agent import settings
from qfleet_agent.errors import SettingsInvalid


def test_an_empty_file_gives_the_defaults() -> None:
    assert settings.parse("", source="x") == settings.Settings()


def test_all_settings_are_read() -> None:
    text = """
        state = "/srv/qfleet"
        profile = "raspberry-pi-4"
        profiles_dir = "profiles"
        workers = 3
        executor = "local"
        log_level = "debug"
        preshared_key_file = "/etc/qfleet/psk.toml"
        [link]
        broker = "mqtt://[::1]:1883"
        ca_file = "/etc/ca.pem"
        reconnect_base_s = 0.5
        reconnect_most_s = 60
    """
    read = settings.parse(text, source="x")
    assert read.state == Path("/srv/qfleet")
    assert read.workers == 3
    assert read.link.reconnect_base_s == 0.5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('profil = "auto"', "did you mean `profile`?"),
        ("[link]\nreconnect_base = 1", "did you mean `reconnect_base_s`?"),
        ("workers = 0", "workers = 0"),
        ('workers = "two"', "workers"),
        ("state = 5", "state"),
        ('executor = "dask://x"', "executor"),
        ('executor = "slurm"', "'local', 'dask://HOST:PORT'"),
        ('executor = "dask://host:70000"', "executor = 'dask://host:70000'"),
        ('executor = "dask+tls://host:8786"', "needs ca_file in [cluster]"),
        ("[link]\nreconnect_base_s = 500.0", "reconnect_base_s = 500.0"),
        ("[link]\nprobe_s = 0", "probe_s = 0"),
        ("workers = ", "not valid TOML"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(text: str, said: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        settings.parse(text, source="/etc/qfleet/agent.toml")
    assert said in str(caught.value)
    assert "/etc/qfleet/agent.toml" in str(caught.value)


WAYS = """
[link]
price_ms = 500.0
settle_s = 30
[[link.ways]]
name = "cable"
class = "ethernet"
broker = "mqtts://leaf.example:8883"
source = "192.0.2.7"
[[link.ways]]
name = "leo"
class = "satellite"
broker = "mqtts://ground.example:8883"
price_per_mb = 4.0
month_mb = 50
beyond = "never"
contact = { first = 2026-03-01T12:00:00Z, every_s = 5700, open_s = 480 }
[[link.ways]]
name = "gso"
class = "satellite"
[[link.ways.contact.passes]]
opens = 2026-03-01T12:00:00Z
closes = 2026-03-01T12:08:00+00:00
"""


def test_ways_are_read() -> None:
    link = settings.parse(WAYS, source="x").link
    cable, leo, gso = link.routes
    assert (cable.kind, cable.manner.batch_ms, cable.manner.thrifty) == ("ethernet", 0, False)
    assert (leo.kind, leo.manner.stretch, leo.beyond) == ("satellite", 10, "never")
    assert leo.contact is not None
    assert gso.contact is not None
    assert len(gso.contact.passes) == 1
    assert (link.rules.price_ms, link.rules.settle_s, link.rules.base_s) == (500.0, 30.0, 5.0)


def test_the_settings_of_the_page_are_read() -> None:
    page = (Path(__file__).parents[2] / "docs" / "ways.md").read_text(encoding="utf-8")
    blocks = [each.split("```", 1)[0] for each in page.split("```toml\n")[1:]]
    assert len(blocks) == 3
    link = settings.parse(blocks[0], source="x").link
    assert [way.kind for way in link.routes] == ["ethernet", "lte", "satellite"]
    listed = blocks[0].rpartition("contact =")[0] + blocks[1]
    contact = settings.parse(listed, source="x").link.routes[2].contact
    assert contact is not None
    assert len(contact.passes) == 1
    left = blocks[0].rpartition("contact =")[0] + blocks[2]
    contact = settings.parse(left, source="x").link.routes[2].contact
    assert contact is not None
    assert contact.planned


def test_without_ways_there_is_one() -> None:
    (only,) = settings.Settings().link.routes
    assert (only.manner.stretch, only.manner.batch_ms, only.contact) == (1, 0, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name = "a"\nclass = "pigeon"', "'pigeon'"),
        ('name = "a"', "`class`"),
        ('name = ""\nclass = "lte"', "must be printable"),
        ('name = "a"\nclass = "lte"\nlatency = 1', "did you mean `latency_ms`?"),
        ('name = "a"\nclass = "lte"\nprice_per_mb = -1.0', "price_per_mb = -1.0"),
        ('name = "a"\nclass = "lte"\nmonth_mb = 0', "month_mb = 0"),
        ('name = "a"\nclass = "lte"\nlatency_ms = 0', "latency_ms = 0"),
        ('name = "a"\nclass = "lte"\nstretch = 0', "stretch = 0"),
        ('name = "a"\nclass = "lte"\nbatch_ms = 100000', "batch_ms = 100000"),
        ('name = "a"\nclass = "lte"\n[[link.ways]]\nname = "a"\nclass = "wifi"', "the name 'a'"),
        ('name = "a"\nclass = "satellite"\ncontact = { every_s = 5 }', "first, every_s and open_s together"),
    ],
)
def test_a_way_that_makes_no_sense_is_refused(text: str, said: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        settings.parse("[[link.ways]]\n" + text, source="/etc/qfleet/agent.toml")
    assert said in str(caught.value)
    assert "/etc/qfleet/agent.toml" in str(caught.value)


def test_a_file_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="no such file"):
        settings.load(tmp_path / "agent.toml")


@pytest.mark.parametrize(
    ("executor", "address", "file"),
    [
        ("dask://cluster.site:8786", "tcp://cluster.site:8786", ""),
        ("dask://[::1]:8786", "tcp://[::1]:8786", ""),
        ("dask:///srv/dask/scheduler.json", "", "/srv/dask/scheduler.json"),
        ("dask+tls://cluster.site:8786", "tls://cluster.site:8786", ""),
    ],
)
def test_an_executor_names_a_scheduler(executor: str, address: str, file: str) -> None:
    text = f'executor = "{executor}"\n[cluster]\nca_file = "/etc/dask/ca.pem"'
    assert settings.parse(text, source="x").scheduler == (address, file)
    assert settings.Settings().scheduler is None


KEYS = """
[keys]
certificate_file = "server.crt"
sae_id = "uri"
applications = ["alice"]
[keys.peers.ground-b]
applications = ["bob", "carol"]
"""


def test_key_delivery_is_read() -> None:
    keys = settings.parse(KEYS, source="x").keys
    assert keys.sae_id == "uri"
    assert keys.peers["ground-b"].applications == ("bob", "carol")
    assert (keys.key_size, keys.host, keys.tls) == (256, "127.0.0.1", "1.3")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('certificat_file = "x"', "did you mean `certificate_file`?"),
        ('sae_id = "common_name"', "did you mean `common-name`?"),
        ('tls = "1.1"', "tls"),
        ("key_size = 250", "multiples of 8"),
        ("key_size = 128\nmin_key_size = 256", "must rise"),
        ("max_key_per_request = 0", "max_key_per_request = 0"),
        ("max_sae_id_count = 65", "max_sae_id_count = 65"),
        ("port = 70000", "port = 70000"),
        ("answer_s = 0", "answer_s = 0"),
        ("store_bytes = 1000", "store_bytes = 1000"),
        ('device = "Ground A"', "Ground A"),
        ('applications = ["bob"]\npeers.b.applications = ["bob"]', "'bob' stands at two places"),
        ('applications = ["relay"]', "no application may be called 'relay'"),
        ("peers.B.applications = []", "'B' is not valid"),
        ('peers.b.application = ["bob"]', "did you mean `applications`?"),
    ],
)
def test_wrong_key_delivery_is_named(text: str, said: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        settings.parse(f"[keys]\n{text}\n", source="/etc/qfleet/agent.toml")
    assert said in str(caught.value)

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
        ("workers = ", "not valid TOML"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(text: str, said: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        settings.parse(text, source="/etc/qfleet/agent.toml")
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

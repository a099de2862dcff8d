from pathlib import Path

import pytest

from qfleet_controlplane import settings
from qfleet_controlplane.broker.addresses import Address, parse_address
from qfleet_controlplane.errors import ConfigurationError, InvalidSetting

MINIMAL = 'fleet = "home"\nregion = "north"\n'
QKD = '[security.qkd]\nca_file = "/ca"\ncertificate_file = "/c"\nkey_file = "/k"\n'


def test_a_minimal_file_has_safe_defaults() -> None:
    read = settings.parse(MINIMAL, source="x")
    assert settings.is_loopback(read.api.host)
    assert settings.is_loopback(read.broker.host)
    assert read.database_url == "sqlite:////var/lib/qfleet-controlplane/controlplane.db"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('regoin = "x"', ["regoin", "did you mean `region`?"]),
        ("[api]\nprot = 1", ["prot", "did you mean `port`?"]),
        ("[broker]\nprot = 1", ["prot", "did you mean `port`?"]),
        ("[api]\nport = 70000", ["70000", "65535"]),
        ('[api]\nhost = "0.0.0.0"', ["0.0.0.0", "tls_certificate"]),
        ('[api]\ntls_key = "/k"', ["set both or neither"]),
        ('[broker]\nhost = "192.0.2.1"', ["192.0.2.1", "allow_remote"]),
        ('[broker]\nurl = "amqp://x"', ["amqp://x", "mqtt://"]),
        ('state = "var"', ["var", "absolute"]),
        ('[log]\nlevel = "loud"', ["loud"]),
        ("[api", ["not valid TOML"]),
        (QKD + 'url = "http://here"', ["security.qkd", "http://here", "https://HOST:PORT"]),
        (QKD.replace("/ca", "ca") + 'url = "https://here"', ["security.qkd.ca_file", "absolute"]),
        (QKD + 'url = "https://here"\nanswer_s = 0', ["security.qkd.answer_s", "at most 30"]),
        (QKD + 'url = "https://here"\ndevices = {"A/b" = "x"}', ["security.qkd", "A/b"]),
    ],
)
def test_a_wrong_setting_says_which_and_what_to_do(text: str, words: list[str]) -> None:
    with pytest.raises(InvalidSetting) as caught:
        settings.parse(MINIMAL + text, source="controlplane.toml")
    assert all(word in str(caught.value) for word in ["controlplane.toml", *words])


def test_a_name_that_cannot_stand_in_a_topic_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="North/1"):
        settings.parse('fleet = "home"\nregion = "North/1"\n', source="x")


def test_a_broker_beyond_loopback_is_allowed_in_so_many_words() -> None:
    text = MINIMAL + '[broker]\nhost = "192.0.2.1"\nallow_remote = true\n'
    assert settings.parse(text, source="x").broker.host == "192.0.2.1"


def test_a_missing_file_names_itself_and_init(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.toml.*init"):
        settings.read(tmp_path / "absent.toml")


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mqtt://broker", Address("mqtt", "broker", 1883)),
        ("mqtt://[::1]:1884", Address("mqtt", "::1", 1884)),
        ("mqtts://broker", Address("mqtts", "broker", 8883)),
        ("unix:///run/mosquitto.sock", Address("unix", "/run/mosquitto.sock", 0)),
    ],
)
def test_broker_urls(url: str, address: Address) -> None:
    assert parse_address(url) == address
    assert parse_address(str(address)) == address


@pytest.mark.parametrize("url", ["mqtt://", "unix://host/path", "mqtt://h/topic", "mqtt://h:99999", "h:1883"])
def test_urls_that_name_no_broker(url: str) -> None:
    with pytest.raises(InvalidSetting):
        parse_address(url)


def test_a_login_in_a_url_is_refused_without_repeating_it() -> None:
    with pytest.raises(InvalidSetting) as caught:
        parse_address("mqtt://user:hunter2@broker")
    assert "hunter2" not in str(caught.value)

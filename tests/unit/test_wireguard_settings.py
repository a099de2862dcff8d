"""The configuration of a rotator, and what it refuses."""

from pathlib import Path

import pytest

from qfleet_agent.errors import SettingsInvalid
from qfleet_agent.wireguard import settings

PEER = "A" * 43 + "="
WHOLE = f"""
interface = "wg0"
peer = "{PEER}"
role = "leader"
[delivery]
url = "https://127.0.0.1:8014"
ca_file = "/etc/qfleet/keys/ca.crt"
certificate_file = "/etc/qfleet/keys/wireguard-a.crt"
key_file = "/etc/qfleet/keys/wireguard-a.key"
other_sae_id = "wireguard-b"
[line]
address = "[2001:db8::2]:8015"
ca_file = "/etc/qfleet/keys/other-ca.crt"
certificate_file = "/etc/qfleet/keys/wireguard-a.crt"
key_file = "/etc/qfleet/keys/wireguard-a.key"
"""


def test_a_whole_configuration_is_read(tmp_path: Path) -> None:
    file = tmp_path / "wireguard.toml"
    file.write_text(WHOLE)
    read = settings.load(file)
    assert (read.interval_s, read.command) == (120.0, "wg")
    assert read.delivery.address == ("127.0.0.1", 8014)
    assert read.line.where == ("2001:db8::2", 8015)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"wg0"', '"wg0/../x"', "interface"),
        ('"wg0"', '"-wg0"', "interface"),
        (PEER, "A" * 44, "public key"),
        (PEER, "Secret?", "public key"),
        ('"leader"', '"laeder"', "role"),
        ("https://", "http://", "must be https"),
        (":8014", ":99999", "must be https"),
        ("]:8015", "]", "HOST:PORT"),
        ("role", "interval_s = 1\nrole", "at least 5"),
        ("other_sae_id", "other_sea_id", "other_sae_id"),
        ("[line]", "[lime]", "line"),
        ("[line]", "[line", "TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    file = tmp_path / "wireguard.toml"
    file.write_text(WHOLE.replace(old, new, 1))
    with pytest.raises(SettingsInvalid, match=said) as caught:
        settings.load(file)
    assert str(caught.value).startswith(f"{file}: ")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="no such file"):
        settings.load(tmp_path / "none.toml")

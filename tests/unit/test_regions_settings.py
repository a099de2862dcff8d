"""Regions, leases and outside databases in the configuration file."""

from pathlib import Path

import pytest

from qfleet_controlplane import settings
from qfleet_controlplane.errors import InvalidSetting

TWO = """
fleet = "home"
controller = "c1"
state = "/srv/c1"
database = "postgresql://qfleet@db.example/fleet"

[regions.north]
residency = ["EU", "DE"]
energy_price = 0.31
[regions.north.broker]
url = "mqtts://north.example"
login_file = "/srv/north.toml"

[regions.south.broker]
url = "mqtt://south.example"
"""


def refused(text: str) -> str:
    with pytest.raises(InvalidSetting) as caught:
        settings.parse(text, source="x")
    return str(caught.value)


def test_each_region_has_settings_as_if_it_were_the_only_one() -> None:
    read = settings.parse(TWO, source="x")
    assert list(read.places) == ["north", "south"]
    north = read.places[next(iter(read.places))]
    assert north.names == ("home", "north", "c1")
    assert north.broker.url == "mqtts://north.example"
    assert north.place.residency == ("EU", "DE")
    assert north.place.energy_price == 0.31
    assert list(north.places) == ["north"]
    assert north.places[north.names[1]] == north


def test_the_form_with_one_region_is_the_same_thing() -> None:
    read = settings.parse('fleet = "home"\nregion = "north"\n[broker]\nport = 0\n', source="x")
    assert list(read.places.values()) == [read]
    assert read.place.broker == read.broker
    assert read.broker_directory == read.directory / "broker"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('fleet = "home"', ["no region", "[regions.NAME]"]),
        ('region = "west"\n' + TWO, ["west", "exclude"]),
        (TWO + '[broker]\nurl = "mqtt://x"', ["[broker]", "regions.NAME.broker"]),
        (TWO.replace("south", "South"), ["South"]),
        (TWO.replace("mqtt://south.example", "http://south"), ["regions.south.broker.url", "http://south"]),
        (TWO.replace("/srv/north.toml", "north.toml"), ["regions.north.broker.login_file", "absolute"]),
        (TWO.replace("0.31", "-1"), ["regions.north.energy_price", "-1"]),
        (TWO.replace('"DE"', '""'), ["regions.north.residency"]),
        (TWO + "[leases]\nrenew_s = 5.0", ["leases.renew_s = 5", "half"]),
        (TWO + "[leases]\nttl_s = 0.1", ["leases.ttl_s = 0.1"]),
        (TWO + "[leases]\nlook_s = 0.0", ["leases.look_s = 0"]),
        (TWO.replace("postgresql://", "mysql://"), ["database", "postgresql://"]),
        ('database_password_file = "/p"\n' + TWO.replace("qfleet@", ""), ["database_password_file", "user"]),
    ],
)
def test_a_wrong_region_is_named(text: str, words: list[str]) -> None:
    message = refused(text)
    assert all(word in message for word in words), message


def test_two_embedded_brokers_need_two_ports() -> None:
    text = 'fleet = "home"\n[regions.a.broker]\nport = 1900\n[regions.b.broker]\nport = 1900\n'
    assert all(word in refused(text) for word in ("'a'", "'b'", "1900"))
    apart = settings.parse(text.replace("1900", "1901", 1), source="x")
    directories = {place.broker_directory for place in apart.places.values()}
    assert len(directories) == 2


def test_a_databases_password_stands_in_a_file_of_its_own(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("s3cr/t@\n")
    secret.chmod(0o600)
    read = settings.parse(f'database_password_file = "{secret}"\n{TWO}', source="x")
    assert read.database_url == "postgresql+psycopg://qfleet:s3cr%2Ft%40@db.example/fleet"
    assert read.shared
    assert "s3cr" not in repr(read)
    secret.chmod(0o644)
    with pytest.raises(InvalidSetting, match="chmod 600"):
        _ = read.database_url


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    message = refused(TWO.replace("qfleet@", "qfleet:hunter2@"))
    assert "database_password_file" in message
    assert "hunter2" not in message

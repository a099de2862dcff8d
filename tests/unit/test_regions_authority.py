"""A controller of several regions, and a further controller of the same fleet."""

import secrets
from pathlib import Path

import pytest

from qfleet_controlplane.authority import bundle, creation, files, keyring, maintenance
from qfleet_controlplane.command import main
from qfleet_controlplane.errors import ConfigurationError
from qfleet_wire.channel import chains, identity
from qfleet_wire.names import ControllerName, FleetName, Millis, RegionName

NOW = Millis(1_800_000_000_000)
FLEET, NORTH, SOUTH = FleetName("home"), RegionName("north"), RegionName("south")
FIRST, SECOND = ControllerName("c1"), ControllerName("c2")
PASSPHRASE = b"correct horse"


@pytest.fixture
def layout(tmp_path: Path) -> files.Layout:
    founding = creation.Founding(FLEET, NORTH, FIRST)
    creation.create(tmp_path / "first", founding, now=NOW, random=secrets.token_bytes)
    return files.Layout(tmp_path / "first")


def ring_of(layout: files.Layout, region: RegionName, controller: ControllerName) -> keyring.Keyring:
    who = identity.ControllerIdentity(FLEET, region, controller)
    keyring.qualify(layout, who, now=NOW, random=secrets.token_bytes)
    return keyring.Keyring(layout, who, random=secrets.token_bytes)


def exported(layout: files.Layout, path: Path) -> Path:
    who = identity.ControllerIdentity(FLEET, NORTH, FIRST)
    files.write_secret(path, bundle.export(layout, who, PASSPHRASE, random=secrets.token_bytes))
    return path


def test_each_region_has_a_certificate_for_the_same_key(layout: files.Layout) -> None:
    north, south = ring_of(layout, NORTH, FIRST), ring_of(layout, SOUTH, FIRST)
    assert north.credentials.identity == identity.ControllerIdentity(FLEET, NORTH, FIRST)
    assert south.credentials.identity == identity.ControllerIdentity(FLEET, SOUTH, FIRST)
    assert north.credentials.peer.certificate_hash != south.credentials.peer.certificate_hash
    first = layout.region_certificate(SOUTH).read_bytes()
    assert not layout.region_certificate(NORTH).exists()
    ring_of(layout, SOUTH, FIRST)
    assert layout.region_certificate(SOUTH).read_bytes() == first
    south.renew(south.renew_due())
    assert layout.region_certificate(SOUTH).read_bytes() != first


def test_another_controllers_authority_qualifies_for_nothing(layout: files.Layout) -> None:
    with pytest.raises(ConfigurationError, match=r"c1.*c2"):
        ring_of(layout, SOUTH, SECOND)


def test_renewed_issuers_qualify_for_further_regions_again(layout: files.Layout) -> None:
    before = ring_of(layout, SOUTH, FIRST)
    root = maintenance.load_root(
        layout.root_key.read_bytes(), b"", layout.root_certificate.read_bytes(), FLEET
    )
    who = identity.ControllerIdentity(FLEET, NORTH, FIRST)
    maintenance.renew_issuers(layout, root, who, now=NOW, random=secrets.token_bytes)
    after = ring_of(layout, SOUTH, FIRST)
    assert after.credentials.chain != before.credentials.chain
    assert chains.verify(after.credentials.chain, after.authority.root).identity == after.credentials.identity


def test_a_further_controller_has_the_issuers_and_a_key_of_its_own(
    layout: files.Layout, tmp_path: Path
) -> None:
    opened = bundle.read(exported(layout, tmp_path / "bundle"), PASSPHRASE)
    second = files.Layout(tmp_path / "second")
    founding = creation.Founding(FLEET, SOUTH, SECOND)
    bundle.join(second.directory, opened, founding, now=NOW, random=secrets.token_bytes)
    ours, theirs = ring_of(layout, SOUTH, FIRST), ring_of(second, SOUTH, SECOND)
    assert theirs.authority.hash == ours.authority.hash
    assert theirs.sealer.open(ours.sealer.seal(b"secret", "row"), "row") == b"secret"
    assert theirs.credentials.peer.key.public_bytes_raw() != ours.credentials.peer.key.public_bytes_raw()
    assert not second.root_key.exists()


def test_a_bundle_tells_nothing_without_its_passphrase(layout: files.Layout, tmp_path: Path) -> None:
    path = exported(layout, tmp_path / "bundle")
    for name in ("rest.key", "device-issuer.key", "controller-issuer.key", "enrolment.key"):
        assert (layout.directory / name).read_bytes() not in path.read_bytes()
    with pytest.raises(ConfigurationError, match="does not open"):
        bundle.read(path, b"wrong")
    opened = bundle.read(path, PASSPHRASE)
    assert {"root.key", "controller.key"}.isdisjoint(opened.secret)
    assert (layout.directory / "rest.key").read_bytes().hex() not in repr(opened)


@pytest.mark.parametrize(
    ("fleet", "controller", "words"), [("other", "c2", "other"), ("home", "c1", "another --controller")]
)
def test_names_that_do_not_fit_are_refused(
    layout: files.Layout, tmp_path: Path, fleet: str, controller: str, words: str
) -> None:
    opened = bundle.read(exported(layout, tmp_path / "bundle"), PASSPHRASE)
    founding = creation.Founding(FleetName(fleet), SOUTH, ControllerName(controller))
    with pytest.raises(ConfigurationError, match=words):
        bundle.join(tmp_path / "second", opened, founding, now=NOW, random=secrets.token_bytes)
    assert not (tmp_path / "second").exists()


def test_a_bundle_of_mixed_parts_is_refused(layout: files.Layout, tmp_path: Path) -> None:
    opened = bundle.read(exported(layout, tmp_path / "bundle"), PASSPHRASE)
    creation.create(
        tmp_path / "other", creation.Founding(FLEET, NORTH, FIRST), now=NOW, random=secrets.token_bytes
    )
    foreign = (tmp_path / "other" / "controller-issuer.key").read_bytes()
    mixed = bundle.Bundle(
        opened.fleet, opened.controller, opened.public, {**opened.secret, "controller-issuer.key": foreign}
    )
    founding = creation.Founding(FLEET, SOUTH, SECOND)
    with pytest.raises(ConfigurationError, match="do not fit"):
        bundle.join(tmp_path / "second", mixed, founding, now=NOW, random=secrets.token_bytes)


def test_init_writes_a_table_for_each_region(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["init", "--directory", str(tmp_path / "c"), "--region", "north", "--region", "south"]
    assert main([*arguments, "--broker", "north=mqtt://n"]) == 78
    assert "--broker REGION=URL" in capsys.readouterr().err
    brokers = ["--broker", "north=mqtt://n", "--broker", "south=mqtt://s"]
    assert main([*arguments, *brokers, "--listen", "127.0.0.1:0"]) == 0
    text = (tmp_path / "c" / "controlplane.toml").read_text()
    assert '[regions."south".broker]\nurl = "mqtt://s"' in text
    assert main([*arguments[:2], str(tmp_path / "d"), "--authority", str(tmp_path / "x")]) == 78
    assert "--database" in capsys.readouterr().err

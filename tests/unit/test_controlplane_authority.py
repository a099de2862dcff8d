import secrets
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from qfleet_controlplane.authority import creation, files, keyring
from qfleet_controlplane.authority.sealing import SealBroken, Sealer
from qfleet_controlplane.errors import ConfigurationError
from qfleet_wire.channel import certificates, chains, identity, keys
from qfleet_wire.names import ControllerName, DeviceName, FleetName, Millis, RegionName

NOW = Millis(1_800_000_000_000)
FLEET, REGION, NAME = FleetName("home"), RegionName("north"), ControllerName("c1")
WHO = identity.ControllerIdentity(FLEET, REGION, NAME)
Make = Callable[[], files.Layout]


def create(directory: Path, passphrase: bytes = b"") -> files.Layout:
    founding = creation.Founding(FLEET, REGION, NAME, passphrase)
    creation.create(directory, founding, now=NOW, random=secrets.token_bytes)
    return files.Layout(directory)


def load(layout: files.Layout) -> keyring.Keyring:
    return keyring.Keyring(layout, WHO, random=secrets.token_bytes)


def test_a_created_authority_runs_without_its_root_key(tmp_path: Path) -> None:
    layout = create(tmp_path / "authority")
    layout.root_key.unlink()
    ring = load(layout)
    assert ring.credentials.identity == WHO
    assert ring.authority.enrolment_key == ring.enrolment_key.public


def test_every_secret_is_for_its_owner_only(tmp_path: Path) -> None:
    layout = create(tmp_path / "authority")
    secret = sorted(path.name for path in layout.directory.iterdir() if path.suffix == ".key")
    assert secret == [
        "controller-issuer.key",
        "controller.key",
        "device-issuer.key",
        "enrolment.key",
        "rest.key",
        "root.key",
    ]
    for name in secret:
        assert stat.S_IMODE((layout.directory / name).stat().st_mode) == 0o400
    assert stat.S_IMODE(layout.directory.stat().st_mode) == 0o700


def test_a_second_authority_in_one_place_is_refused(tmp_path: Path) -> None:
    create(tmp_path)
    with pytest.raises(ConfigurationError, match="already holds an authority"):
        create(tmp_path)


def test_a_passphrase_protects_the_root_key(tmp_path: Path) -> None:
    layout = create(tmp_path, b"correct horse")
    stored = layout.root_key.read_bytes()
    seed = keys.unprotect(stored, b"correct horse")
    assert seed not in stored
    root = chains.read_root(layout.root_certificate.read_bytes(), FLEET)
    assert keys.load(seed).public_key().public_bytes_raw() == root.key.public_bytes_raw()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda layout: layout.controller_key.unlink(), "controller.key"),
        (lambda layout: layout.rest_key.chmod(0o444), "others may read"),
        (lambda layout: files.replace(layout.controller_certificate, b"junk"), "not usable"),
        (lambda layout: files.replace(layout.record, b"junk"), "not usable"),
    ],
)
def test_damage_is_a_configuration_error_that_names_it(
    tmp_path: Path, damage: Callable[[files.Layout], None], words: str
) -> None:
    layout = create(tmp_path)
    damage(layout)
    with pytest.raises(ConfigurationError, match=words):
        load(layout)


def test_another_controllers_certificate_is_refused(tmp_path: Path) -> None:
    layout = create(tmp_path)
    other = identity.ControllerIdentity(FLEET, RegionName("south"), NAME)
    with pytest.raises(ConfigurationError, match="south"):
        keyring.Keyring(layout, other, random=secrets.token_bytes)


def test_a_device_certificate_carries_the_name_we_gave(tmp_path: Path) -> None:
    ring = load(create(tmp_path))
    key = keys.generate(secrets.token_bytes)
    issued = ring.issue_device(DeviceName("pi-1"), key.public_key(), NOW)
    peer = chains.verify(issued.chain, ring.authority.root)
    assert peer.identity == identity.DeviceIdentity(FLEET, DeviceName("pi-1"))
    assert peer.certificate_hash == issued.hash
    assert issued.validity.not_after - NOW == certificates.DEVICE_DAYS * certificates.DAY_MS


def test_the_controllers_certificate_is_renewed_at_half_its_life(tmp_path: Path) -> None:
    layout = create(tmp_path)
    layout.root_key.unlink()
    ring = load(layout)
    half = certificates.CONTROLLER_DAYS * certificates.DAY_MS // 2
    due = ring.renew_due()
    assert abs(due - NOW - half) < 10 * 60_000
    before = ring.credentials.peer
    ring.renew(due)
    after = load(layout).credentials.peer
    assert after.key.public_bytes_raw() == before.key.public_bytes_raw()
    assert after.validity.not_after - before.validity.not_after >= half - 10 * 60_000


def test_a_sealed_secret_opens_in_its_own_row_only() -> None:
    sealer = Sealer(secrets.token_bytes(32), secrets.token_bytes)
    sealed = sealer.seal(b"secret", "invitation/1")
    assert b"secret" not in sealed
    assert sealer.open(sealed, "invitation/1") == b"secret"
    for wrong in (sealed[:-1], b"", sealed[:-1] + bytes([sealed[-1] ^ 1])):
        with pytest.raises(SealBroken):
            sealer.open(wrong, "invitation/1")
    with pytest.raises(SealBroken):
        sealer.open(sealed, "invitation/2")

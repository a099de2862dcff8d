import asyncio
import secrets
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from qfleet_controlplane.authority import creation, files, keyring, maintenance, tokens
from qfleet_controlplane.authority.roles import Caller, Role
from qfleet_controlplane.authority.sealing import SealBroken, Sealer
from qfleet_controlplane.errors import ConfigurationError
from qfleet_controlplane.store import registry
from qfleet_wire.channel import certificates, chains, identity, keys, revocation
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


def test_the_root_key_renews_the_issuers_in_place(tmp_path: Path) -> None:
    layout = create(tmp_path, b"correct horse")
    before = load(layout)
    device = before.issue_device(DeviceName("d"), keys.generate(secrets.token_bytes).public_key(), NOW)
    later = Millis(NOW + 300 * certificates.DAY_MS)
    root = root_of(layout, b"correct horse")
    maintenance.renew_issuers(layout, root, WHO, now=later, random=secrets.token_bytes)
    after = load(layout)
    assert after.issuers_end() - before.issuers_end() == 300 * certificates.DAY_MS
    chains.verify(device.chain, after.authority.root)  # what was issued before stays valid


@pytest.mark.parametrize("passphrase", [b"wrong", b""])
def test_a_wrong_passphrase_opens_no_root_key(tmp_path: Path, passphrase: bytes) -> None:
    layout = create(tmp_path, b"correct horse")
    with pytest.raises(ConfigurationError, match="does not open"):
        root_of(layout, passphrase)


def test_another_fleets_root_key_is_told_apart(tmp_path: Path) -> None:
    layout, other = create(tmp_path / "a"), create(tmp_path / "b")
    with pytest.raises(ConfigurationError, match="another fleet"):
        maintenance.load_root(other.root_key.read_bytes(), b"", layout.root_certificate.read_bytes(), FLEET)


def test_revoked_controllers_stand_on_a_list_that_only_grows(tmp_path: Path) -> None:
    layout = create(tmp_path)
    root = root_of(layout)
    hashes = [secrets.token_bytes(32) for _ in range(3)]
    assert maintenance.revoke_controllers(layout, root, FLEET, hashes[:2]) == 1
    assert maintenance.revoke_controllers(layout, root, FLEET, hashes[1:]) == 2
    ring = load(layout)
    assert revocation.read(ring.revocations, ring.authority.root).revoked == tuple(hashes)


def test_a_false_revocation_list_is_a_configuration_error(tmp_path: Path) -> None:
    layout = create(tmp_path)
    stranger = certificates.Issuer(layout.root_certificate.read_bytes(), keys.generate(secrets.token_bytes))
    files.replace(layout.revocations, revocation.sign(revocation.Revocations(FLEET, 1), stranger.key))
    with pytest.raises(ConfigurationError, match="revocations"):
        load(layout)


def root_of(layout: files.Layout, passphrase: bytes = b"") -> certificates.Issuer:
    return maintenance.load_root(
        layout.root_key.read_bytes(), passphrase, layout.root_certificate.read_bytes(), FLEET
    )


def test_a_token_is_known_by_its_hash_and_ends_when_it_is_revoked() -> None:
    token, clock = tokens.generate(secrets.token_bytes), [NOW]
    rows = [tokens.row(token, "ci", Role.OPERATOR, NOW)]
    reads = 0

    async def read() -> list[registry.Token]:
        nonlocal reads
        reads += 1
        return list(rows)

    async def main() -> None:
        book = tokens.Book(read, lambda: clock[0])
        assert await book.caller_of(token) == Caller("ci", Role.OPERATOR)
        for _ in range(100):
            assert await book.caller_of("guess") is None
        assert reads == 1
        rows.clear()
        clock[0] = Millis(NOW + 10_000)
        assert await book.caller_of(token) is None

    asyncio.run(main())
    assert token not in repr(tokens.row(token, "ci", Role.VIEWER, NOW))


def test_who_comes_while_the_tokens_are_read_is_told_what_was_read() -> None:
    token = tokens.generate(bytes)

    async def main() -> None:
        begun, go = asyncio.Event(), asyncio.Event()

        async def read() -> list[registry.Token]:
            begun.set()
            await go.wait()
            return [tokens.row(token, "ci", Role.OPERATOR, NOW)]

        book = tokens.Book(read, lambda: NOW)
        asked = [asyncio.create_task(book.caller_of(token)) for _ in range(3)]
        await begun.wait()
        asked.append(asyncio.create_task(book.caller_of("guess")))
        go.set()
        assert await asyncio.gather(*asked) == [Caller("ci", Role.OPERATOR)] * 3 + [None]

    asyncio.run(main())

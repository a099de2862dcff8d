import datetime as dt
from collections.abc import Callable, Sequence
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from tests.simulation.wire_fleet import CONTROLLER, DAY, DEVICE, FLEET, NOW, REGION, Fleet, seeded

from qfleet_wire.channel import authority, certificates, chains, derivation, identity, keys
from qfleet_wire.channel.identity import ControllerIdentity, DeviceIdentity, IssuerIdentity
from qfleet_wire.errors import InvalidKey, Refused, Untrusted
from qfleet_wire.names import ControllerName, DeviceName, FleetName, Millis, RegionName

RANDOM = seeded("identity")
NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
Extension = tuple[x509.ExtensionType, bool]


@cache
def fleet() -> Fleet:
    return Fleet("identity")


@given(NAMES, NAMES, NAMES)
def test_identities_and_their_names_are_inverses(a: str, b: str, c: str) -> None:
    for who in (
        DeviceIdentity(FleetName(a), DeviceName(b)),
        ControllerIdentity(FleetName(a), RegionName(b), ControllerName(c)),
        IssuerIdentity(FleetName(a), "device"),
    ):
        assert identity.parse_uri(identity.uri_for(who)) == who


@pytest.mark.parametrize(
    "text",
    [
        "",
        "qfleet://",
        "qfleet://aurora/device/",
        "qfleet://aurora/device/Pi",
        "qfleet://aurora/device/pi/1",
        "qfleet://aurora/root/pi",
        "qfleet://aurora/issuer/root",
        "http://aurora/device/pi",
        "qfleet://aurora/controller/north",
        "qfleet://aurora/device/pi\n",
    ],
)
def test_a_name_that_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(Untrusted, match="certificate"):
        identity.parse_uri(text)


def test_a_chain_says_who_it_speaks_for_and_until_when() -> None:
    device = fleet().device(days=90)
    assert device.identity == DeviceIdentity(FLEET, DEVICE)
    assert len(device.chain) == 2
    assert device.peer.validity.not_after == NOW + 90 * DAY
    assert device.peer.hashes == tuple(derivation.plain_hash(der) for der in device.chain)
    assert fleet().controller().identity == ControllerIdentity(FLEET, REGION, CONTROLLER)


def test_controller_certificates_last_thirty_days() -> None:
    assert certificates.CONTROLLER_DAYS == 30
    validity = certificates.lasting(NOW, certificates.CONTROLLER_DAYS)
    assert validity.not_after == NOW + 30 * DAY


def test_the_name_is_the_one_critical_uri() -> None:
    leaf = x509.load_der_x509_certificate(fleet().device().chain[0])
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.critical
    assert [str(name.value) for name in names.value] == ["qfleet://aurora/device/pi-1"]


def test_a_root_may_issue_leaves_itself_and_intermediates_one_deep() -> None:
    one = fleet()
    assert len(one.issue(one.root_issuer, DeviceIdentity(FLEET, DEVICE), 1, NOW).chain) == 1
    key = keys.generate(RANDOM)
    deep = certificates.issue(
        one.issuers["device"],
        key.public_key(),
        IssuerIdentity(FLEET, "device"),
        certificates.lasting(NOW, 9),
        random=RANDOM,
    )
    with pytest.raises(Untrusted, match=r"deep|longer"):
        one.issue(certificates.below(deep, key), DeviceIdentity(FLEET, DEVICE), 1, NOW)


def test_an_issuer_of_devices_cannot_make_a_controller() -> None:
    one = fleet()
    with pytest.raises(Untrusted, match="may not issue controller"):
        one.issue(one.issuers["device"], ControllerIdentity(FLEET, REGION, CONTROLLER), 1, NOW)
    with pytest.raises(Untrusted, match="may not issue device"):
        one.issue(one.issuers["controller"], DeviceIdentity(FLEET, DEVICE), 1, NOW)


def test_a_device_cannot_issue() -> None:
    one = fleet()
    device = one.device()
    false_issuer = certificates.Issuer(device.chain[0], device.key, device.chain)
    with pytest.raises(Untrusted, match="may not issue"):
        one.issue(false_issuer, DeviceIdentity(FLEET, DeviceName("pi-2")), 1, NOW)


def test_an_issuer_is_nobodys_peer() -> None:
    with pytest.raises(Untrusted, match="issuer's"):
        chains.verify(fleet().issuers["device"].chain, fleet().authority.root)


def test_another_fleets_chain_is_refused() -> None:
    other = Fleet("other", FleetName("borealis"))
    with pytest.raises(Untrusted, match="of fleet 'borealis'"):
        chains.verify(other.device().chain, fleet().authority.root)
    same_name = Fleet("other authority of the same name")
    with pytest.raises(Untrusted, match="does not verify"):
        chains.verify(same_name.device().chain, fleet().authority.root)


def test_chains_of_wrong_length_or_with_the_root_are_refused() -> None:
    one = fleet()
    device = one.device()
    for chain in ((), device.chain * 3):
        with pytest.raises(Untrusted, match="certificates"):
            chains.verify(chain, one.authority.root)
    for chain in ((*device.chain, one.root), device.chain[:1], tuple(reversed(device.chain))):
        with pytest.raises(Untrusted):
            chains.verify(chain, one.authority.root)


def test_every_altered_byte_of_a_leaf_is_noticed() -> None:
    one = fleet()
    device = one.device()
    leaf = device.chain[0]
    for place in range(0, len(leaf), 61):
        altered = bytearray(leaf)
        altered[place] ^= 0x20
        with pytest.raises(Untrusted):
            chains.verify((bytes(altered), *device.chain[1:]), one.authority.root)


@given(st.binary(max_size=200))
def test_junk_is_no_certificate(junk: bytes) -> None:
    with pytest.raises(Untrusted):
        chains.verify((junk,), fleet().authority.root)


def _forge(
    extensions: Sequence[Extension],
    *,
    sign: Callable[[x509.CertificateBuilder], x509.Certificate] | None = None,
) -> tuple[bytes, ...]:
    """A leaf right under the root, really signed by it, with these extensions."""
    one = fleet()
    root = x509.load_der_x509_certificate(one.root)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(root.subject)
        .public_key(keys.generate(RANDOM).public_key())
        .serial_number(7)
        .not_valid_before(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2036, 1, 1, tzinfo=dt.UTC))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    made = sign(builder) if sign else builder.sign(one.root_key, None)
    return (made.public_bytes(Encoding.DER),)


def _uri(text: str = "qfleet://aurora/device/pi-1") -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(text)


def _usage(*, signing: bool = True, issuing: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signing,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=issuing,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


NAME: Extension = (x509.SubjectAlternativeName([_uri()]), True)
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
LEAF: Extension = (x509.BasicConstraints(ca=False, path_length=None), True)
USAGE: Extension = (_usage(), True)


def test_a_well_formed_leaf_under_the_root_is_accepted() -> None:
    assert chains.verify(_forge([NAME, LEAF, USAGE]), fleet().authority.root).identity == DeviceIdentity(
        FLEET, DEVICE
    )


@pytest.mark.parametrize(
    ("extensions", "complaint"),
    [
        ([LEAF, USAGE], "names nobody"),
        ([(x509.SubjectAlternativeName([_uri()]), False), LEAF, USAGE], "critical URI"),
        ([(x509.SubjectAlternativeName([_uri(), _uri()]), True), LEAF, USAGE], "exactly one"),
        ([(x509.SubjectAlternativeName([_uri(), x509.DNSName("a")]), True), LEAF, USAGE], "exactly one"),
        ([(x509.SubjectAlternativeName([x509.DNSName("a")]), True), LEAF, USAGE], "exactly one"),
        ([(x509.SubjectAlternativeName([_uri("urn:x")]), True), LEAF, USAGE], "not one of qfleet's"),
        ([NAME, USAGE], "constraints"),
        ([NAME, LEAF], "constraints"),
        ([NAME, (x509.BasicConstraints(ca=True, path_length=None), True), USAGE], "not for issuing"),
        ([NAME, LEAF, (_usage(issuing=True), True)], "not for issuing"),
        ([NAME, LEAF, (_usage(signing=False), True)], "for signatures"),
        ([NAME, LEAF, USAGE, (x509.PrecertPoison(), True)], "unknown critical"),
        (
            [NAME, LEAF, USAGE, (UNKNOWN, True)],
            "unknown critical extension 1.2.3.4",
        ),
    ],
)  # fmt: skip
def test_leaves_that_the_root_signed_but_should_not_have_are_refused(
    extensions: list[Extension], complaint: str
) -> None:
    with pytest.raises(Untrusted, match=complaint):
        chains.verify(_forge(extensions), fleet().authority.root)


def test_unknown_extensions_that_are_not_critical_are_ignored() -> None:
    chains.verify(_forge([NAME, LEAF, USAGE, (UNKNOWN, False)]), fleet().authority.root)


def test_other_algorithms_are_refused() -> None:
    weak = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    signed_weakly = _forge([NAME, LEAF, USAGE], sign=lambda builder: builder.sign(weak, None))
    with pytest.raises(Untrusted, match="ML-DSA-65"):
        chains.verify(signed_weakly, fleet().authority.root)
    other = mldsa.MLDSA44PrivateKey.from_seed_bytes(bytes(32))
    with pytest.raises(Untrusted, match="ML-DSA-65"):
        chains.verify(
            _forge([NAME, LEAF, USAGE], sign=lambda builder: builder.sign(other, None)),
            fleet().authority.root,
        )


def test_certificates_that_are_never_valid_together_are_refused() -> None:
    one = fleet()
    with pytest.raises(Untrusted, match="never valid together"):
        one.device(now=Millis(NOW + 400 * DAY))


def test_the_record_is_checked_against_its_hash_and_read() -> None:
    one = fleet().authority
    assert authority.read_record(one.raw, one.hash) == one
    with pytest.raises(Untrusted, match="another fleet's or a false one"):
        authority.read_record(one.raw + b"\x00", one.hash)
    junk = b"junk"
    with pytest.raises(Untrusted, match="not valid"):
        authority.read_record(junk, authority.record_hash(junk))


def test_a_record_whose_root_is_no_authority_is_refused() -> None:
    one = fleet()
    leaf = one.device().chain[0]
    raw = authority.make_record(FLEET, leaf, one.enrolment.public, ("qfleet1",))
    with pytest.raises(Untrusted, match="may not issue"):
        authority.read_record(raw, authority.record_hash(raw))
    intermediate = one.issuers["device"].certificate
    raw = authority.make_record(FLEET, intermediate, one.enrolment.public, ("qfleet1",))
    with pytest.raises(Untrusted, match="another authority"):
        authority.read_record(raw, authority.record_hash(raw))


def test_credentials_need_the_key_of_their_certificate() -> None:
    one = fleet()
    device = one.device()
    with pytest.raises(Untrusted, match="another key"):
        authority.credentials(RANDOM(32), device.chain, one.authority)
    with pytest.raises(InvalidKey):
        authority.credentials(b"short", device.chain, one.authority)


def test_no_private_key_shows_in_a_representation() -> None:
    device = fleet().device()
    seed = keys.save(device.key)
    for text in (repr(device), repr(fleet().issuers["device"]), repr(device.peer)):
        assert seed.hex() not in text
        assert repr(seed) not in text
        assert "PrivateKey" not in text


def test_a_csr_proves_possession_and_asks_for_no_name() -> None:
    key = keys.generate(RANDOM)
    csr = certificates.make_request(key)
    assert certificates.read_request(csr).public_bytes_raw() == key.public_key().public_bytes_raw()
    altered = csr[:-1] + bytes((csr[-1] ^ 1,))
    weak = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    other = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(weak, None)
    for bad in (altered, b"junk", bytes(20_000), other.public_bytes(Encoding.DER)):
        with pytest.raises(Refused):
            certificates.read_request(bad)

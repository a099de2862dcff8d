import ctypes.util
import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import Self

import pytest
from cryptography.hazmat.primitives import hpke
from nacl import bindings
from tests.simulation.wire_fleet import seeded

from qfleet_wire.channel import frodo, keys, suites, xwing
from qfleet_wire.channel.labels import FAMILY, Label
from qfleet_wire.errors import InvalidKey, Refused, SuiteUnavailable, Untrusted

VECTORS = Path(__file__).parents[1] / "vectors"
RANDOM = seeded("suites")


def _load(name: str) -> dict[str, object]:
    loaded = json.loads((VECTORS / name).read_text())
    assert isinstance(loaded, dict)
    return loaded


def _xwing_vectors() -> list[dict[str, str]]:
    vectors = _load("xwing.json")["vectors"]
    assert isinstance(vectors, list)
    return vectors


def _ml_dsa_vectors() -> list[dict[str, str]]:
    vectors = _load("ml_dsa_65.json")["vectors"]
    assert isinstance(vectors, list)
    return vectors


def test_every_label_names_the_suite_family_and_is_used_for_one_thing() -> None:
    assert all(label.startswith(FAMILY.encode() + b"/") for label in Label)
    assert len({bytes(label) for label in Label}) == len(Label)
    assert all(len(label) <= 255 for label in Label)  # FIPS 204: longest context


@pytest.mark.parametrize("vector", _xwing_vectors())
def test_xwing_opens_the_published_decapsulation_vectors(vector: dict[str, str]) -> None:
    key = xwing.private_key(bytes.fromhex(vector["skRm"]))
    assert key.public.hex() == vector["pkRm"]
    assert key.decapsulate(bytes.fromhex(vector["enc"])).hex() == vector["shared_secret"]


def test_xwing_expands_the_drafts_seed_to_its_public_key() -> None:
    draft = _load("xwing.json")["draft"]
    assert isinstance(draft, dict)
    public = xwing.private_key(bytes.fromhex(draft["seed"])).public.hex()
    assert public.startswith(draft["pk_begins"])
    assert public.endswith(draft["pk_ends"])


@pytest.mark.parametrize("vector", _xwing_vectors())
def test_a_changed_xwing_ciphertext_gives_another_secret(vector: dict[str, str]) -> None:
    key = xwing.private_key(bytes.fromhex(vector["skRm"]))
    ciphertext = bytearray.fromhex(vector["enc"])
    for place in (0, 500, 1087, 1088, 1119):
        changed = bytearray(ciphertext)
        changed[place] ^= 1
        assert key.decapsulate(bytes(changed)).hex() != vector["shared_secret"]


def test_xwing_keys_work_with_the_librarys_hpke_both_ways() -> None:
    suite = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
    ours = xwing.generate(RANDOM)
    sealed = suite.encrypt(b"text", xwing.hpke_public_key(ours.public), b"info")
    assert suite.decrypt(sealed, ours.for_hpke(), b"info") == b"text"


def test_our_decapsulation_opens_what_the_librarys_hpke_sealed() -> None:
    # One-shot HPKE has no exporter, so the whole of RFC 9180's key schedule (5.1, base mode) stands
    # here: only with the same KEM secret does it end in the key that opens the library's ciphertext.
    import hmac  # noqa: PLC0415 - only this test derives by hand

    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305  # noqa: PLC0415 - as above

    suite = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
    ours = xwing.generate(RANDOM)
    info = b"info"
    sealed = suite.encrypt(b"text", ours.for_hpke().public_key(), info)
    secret = ours.decapsulate(sealed[: xwing.CIPHERTEXT_BYTES])
    suite_id = b"HPKE" + bytes.fromhex("647a 0001 0003")

    def extract(salt: bytes, label: bytes, material: bytes) -> bytes:
        return hmac.digest(salt, b"HPKE-v1" + suite_id + label + material, "sha256")

    def expand(key: bytes, label: bytes, context: bytes, length: int) -> bytes:
        text = length.to_bytes(2, "big") + b"HPKE-v1" + suite_id + label + context
        return hmac.digest(key, text + b"\x01", "sha256")[:length]

    context = b"\x00" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    key_secret = extract(secret, b"secret", b"")
    key = expand(key_secret, b"key", context, 32)
    nonce = expand(key_secret, b"base_nonce", context, 12)
    assert ChaCha20Poly1305(key).decrypt(nonce, sealed[xwing.CIPHERTEXT_BYTES :], b"") == b"text"


def test_xwing_agrees_with_itself_and_hides_its_secrets() -> None:
    key = xwing.generate(RANDOM)
    secret, ciphertext = xwing.encapsulate(key.public, RANDOM)
    assert key.decapsulate(ciphertext) == secret
    assert repr(key) == "PrivateKey()"
    assert repr(xwing.encapsulate(key.public, RANDOM)) == "Encapsulated(1120 bytes)"


@pytest.mark.parametrize("length", [0, 1215, 1217])
def test_xwing_refuses_a_public_key_of_the_wrong_size(length: int) -> None:
    with pytest.raises(Refused, match="bytes"):
        xwing.encapsulate(bytes(length), RANDOM)


def test_xwing_refuses_degenerate_points_and_unreduced_coefficients() -> None:
    key = xwing.generate(RANDOM)
    with pytest.raises(Refused, match="small order"):
        xwing.encapsulate(key.public[:1184] + bytes(32), RANDOM)
    with pytest.raises(Refused, match="small order"):
        key.decapsulate(xwing.encapsulate(key.public, RANDOM).ciphertext[:1088] + bytes(32))
    with pytest.raises(Refused, match="not valid"):
        xwing.encapsulate(b"\xff" * 1184 + key.public[1184:], RANDOM)
    with pytest.raises(Refused, match="bytes"):
        key.decapsulate(bytes(1119))


def test_xchacha20_poly1305_opens_the_drafts_vector() -> None:
    # draft-irtf-cfrg-xchacha-03, appendix A.3.1
    key = bytes(range(0x80, 0xA0))
    nonce = bytes(range(0x40, 0x58))
    associated = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    sealed = bytes.fromhex(
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
        "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
        "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
        "21f9664c97637da9768812f615c68b13b52e"
        "c0875924c1c7987947deafd8780acf49"
    )
    opened = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, associated, nonce, key)
    assert opened.startswith(b"Ladies and Gentlemen of the class of '99")


@pytest.mark.parametrize("vector", _ml_dsa_vectors())
def test_ml_dsa_65_makes_the_published_keys_and_takes_the_published_signatures(
    vector: dict[str, str],
) -> None:
    public = keys.load(bytes.fromhex(vector["seed"])).public_key()
    assert public.public_bytes_raw().hex() == vector["pk"]
    public.verify(
        bytes.fromhex(vector["signature"]),
        bytes.fromhex(vector["message"]),
        bytes.fromhex(vector["context"]),
    )


def test_a_signature_counts_for_its_label_and_its_parts_only() -> None:
    key = keys.generate(RANDOM)
    signature = keys.sign(key, Label.HELLO_SIGNATURE, b"ab", b"c")
    public = key.public_key()
    keys.verify(public, signature, Label.HELLO_SIGNATURE, b"ab", b"c")
    for label, parts in (
        (Label.ANSWER_SIGNATURE, (b"ab", b"c")),
        (Label.HELLO_SIGNATURE, (b"a", b"bc")),
        (Label.HELLO_SIGNATURE, (b"abc",)),
    ):
        with pytest.raises(Untrusted):
            keys.verify(public, signature, label, *parts)


def test_a_result_signature_covers_every_result_and_their_order() -> None:
    key = keys.generate(RANDOM)
    signature = keys.result_signature(key, [b"one", b"two"])
    keys.verify_result_signature(key.public_key(), [b"one", b"two"], signature)
    for raws in ([b"two", b"one"], [b"one"], [b"one", b"two", b""], [b"onetwo"]):
        with pytest.raises(Untrusted):
            keys.verify_result_signature(key.public_key(), raws, signature)


def test_a_root_key_at_rest_opens_with_its_passphrase_only() -> None:
    seed = RANDOM(32)
    protected = keys.protect(seed, b"correct horse", RANDOM)
    assert seed not in protected
    assert keys.unprotect(protected, b"correct horse") == seed
    for data, passphrase in (
        (protected, b"wrong"),
        (protected[:-1] + bytes((protected[-1] ^ 1,)), b"correct horse"),
        (b"junk", b"correct horse"),
    ):
        with pytest.raises(InvalidKey):
            keys.unprotect(data, passphrase)


def test_damaged_keys_are_refused() -> None:
    with pytest.raises(InvalidKey, match="31"):
        keys.load(bytes(31))
    with pytest.raises(InvalidKey, match="1952"):
        keys.load_public(bytes(5))


def test_an_unknown_suite_is_refused_with_a_reason() -> None:
    with pytest.raises(Refused, match="none in common") as caught:
        suites.choose(["qfleet9"], ["qfleet1"])
    assert caught.value.code == "suite"
    with pytest.raises(SuiteUnavailable, match="'qfleet9': unknown"):
        suites.usable(["qfleet9"])
    with pytest.raises(SuiteUnavailable, match="none accepted"):
        suites.usable([])


def test_the_controllers_order_decides_between_common_suites() -> None:
    assert suites.choose(["qfleet1-frodo976", "qfleet1"], ["qfleet1"]).name == "qfleet1"


def test_the_hybrid_combiner_binds_both_secrets_ciphertexts_and_keys() -> None:
    # X-Wing stands in for the second KEM: the combiner does not care which it is.
    generate = suites.hybrid_generate(xwing.generate)
    encapsulate = suites.hybrid_encapsulate(xwing.encapsulate)
    key = generate(RANDOM)
    secret, ciphertext = encapsulate(key.public, RANDOM)
    assert key.decapsulate(ciphertext) == secret
    assert len(secret) == 32
    for place in (0, xwing.CIPHERTEXT_BYTES - 1, xwing.CIPHERTEXT_BYTES, len(ciphertext) - 1):
        changed = bytearray(ciphertext)
        changed[place] ^= 1
        assert key.decapsulate(bytes(changed)) != secret
    assert xwing.private_key(bytes(32)).public not in repr(key).encode()


class _StandIn:
    """liboqs-python's interface as we use it (0.16), over X-Wing."""

    def __init__(self, algorithm: str, secret_key: bytes | None = None) -> None:
        assert algorithm == "FrodoKEM-976-SHAKE"
        self._seed = secret_key
        self.details = {
            "length_ciphertext": xwing.CIPHERTEXT_BYTES,
            "length_public_key": xwing.PUBLIC_KEY_BYTES,
        }
        self.freed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.freed = True

    def generate_keypair(self) -> bytes:
        self._seed = RANDOM(32)
        return xwing.private_key(self._seed).public

    def export_secret_key(self) -> bytes:
        assert self._seed is not None
        return self._seed

    def encap_secret(self, public: bytes) -> tuple[bytes, bytes]:
        secret, ciphertext = xwing.encapsulate(public, RANDOM)
        return ciphertext, secret

    def decap_secret(self, ciphertext: bytes) -> bytes:
        assert self._seed is not None
        return xwing.private_key(self._seed).decapsulate(ciphertext)


def test_the_liboqs_suite_runs_over_the_librarys_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.SimpleNamespace(KeyEncapsulation=_StandIn, is_kem_enabled=lambda _: True)
    monkeypatch.setitem(sys.modules, "oqs", module)
    monkeypatch.setattr(frodo, "missing", lambda: None)
    suite = suites.QFLEET1_FRODO976
    key = suite.generate(RANDOM)
    secret, ciphertext = suite.encapsulate(key.public, RANDOM)
    assert key.decapsulate(ciphertext) == secret
    with pytest.raises(Refused, match="ciphertext has"):
        key.decapsulate(ciphertext[:-1])
    with pytest.raises(Refused, match="public key has"):
        suite.encapsulate(key.public[:-1], RANDOM)


def test_frodo_is_loaded_only_when_its_library_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    monkeypatch.setattr(ctypes.util, "find_library", lambda _: None)
    monkeypatch.setenv("OQS_INSTALL_PATH", "/nonexistent")
    monkeypatch.setitem(sys.modules, "oqs", None)  # importing it would raise
    frodo.missing.cache_clear()
    try:
        assert frodo.missing() == "the liboqs library is not installed"
        with pytest.raises(SuiteUnavailable, match="liboqs library is not installed"):
            frodo.generate(RANDOM)
        with pytest.raises(SuiteUnavailable, match="'qfleet1-frodo976': the liboqs"):
            suites.usable(["qfleet1-frodo976"])
    finally:
        frodo.missing.cache_clear()


def test_frodo_hybrid_agrees() -> None:
    reason = frodo.missing()
    if reason is not None:
        pytest.skip(f"suite qfleet1-frodo976 cannot be used here: {reason}")
    suite = suites.QFLEET1_FRODO976
    key = suite.generate(RANDOM)
    secret, ciphertext = suite.encapsulate(key.public, RANDOM)
    assert key.decapsulate(ciphertext) == secret
    with pytest.raises(Refused):
        key.decapsulate(ciphertext[:-1])
    with pytest.raises(Refused):
        suite.encapsulate(key.public[:-1], RANDOM)

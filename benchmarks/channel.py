"""The sealed channel: envelopes per second, handshakes and resumptions per second.

Sealing and opening against bare XChaCha20-Poly1305 calls of PyNaCl (what the channel adds to its
cipher); a full handshake against a TLS 1.3 handshake with client certificates in ``ssl``
(X25519 and ECDSA P-256, OpenSSL), both ends of each in this process. In turns, so that a ratio
compares neighbours in time. ``python -m benchmarks.channel`` prints only these.
"""

import datetime as dt
import os
import ssl
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import Figure, Spread, ratios, spread, table
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from nacl import bindings
from tests.simulation import wire_fleet

from qfleet_wire.channel.session import Opened, Session

TURNS = 7
MESSAGES = 10_000
MESSAGE_BYTES = 200
HANDSHAKES = 30
GOAL_MESSAGES = 30_000


def run() -> list[Figure]:
    """Measure everything in turns and return one row each."""
    return [*_envelopes(), *_handshakes()]


# ── envelopes ───────────────────────────────────────────────────────────────────────────────


def _envelopes() -> list[Figure]:
    device, controller = _ends()
    wire_fleet.connect(device, controller)
    ours, theirs = device.sessions.current, controller.sessions[wire_fleet.DEVICE].current
    assert ours is not None
    assert theirs is not None
    turns = [(_envelope_turn(ours, theirs), _cipher_turn()) for _ in range(TURNS + 1)][1:]
    figures = []
    for index, (what, call) in enumerate((("seal", "encrypt"), ("open", "decrypt"))):
        mine = [turn[index] for turn, _ in turns]
        bare = [turn[index] for _, turn in turns]
        figures.append(
            Figure(
                what=f"{what} messages of {MESSAGE_BYTES} bytes, one core",
                ours=spread(mine).text("/s"),
                peer=f"bare PyNaCl XChaCha20-Poly1305 {call}: {spread(bare).text('/s')}",
                ratio=ratios(mine, bare).text("×"),
                goal=f"≥ {GOAL_MESSAGES:,} /s",
                met=spread(mine).median >= GOAL_MESSAGES,
            )
        )
    return figures


def _envelope_turn(ours: Session, theirs: Session) -> tuple[float, float]:
    now, text = wire_fleet.NOW, bytes(MESSAGE_BYTES)
    begin = time.perf_counter()
    envelopes = [ours.seal(text, now=now, random=os.urandom) for _ in range(MESSAGES)]
    middle = time.perf_counter()
    opened = [theirs.open(envelope, now) for envelope in envelopes]
    end = time.perf_counter()
    assert all(isinstance(outcome, Opened) for outcome in opened)
    return MESSAGES / (middle - begin), MESSAGES / (end - middle)


def _cipher_turn() -> tuple[float, float]:
    key, nonce, text = os.urandom(32), os.urandom(24), bytes(MESSAGE_BYTES)
    encrypt = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt
    decrypt = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt
    begin = time.perf_counter()
    sealed = [encrypt(text, None, nonce, key) for _ in range(MESSAGES)]
    middle = time.perf_counter()
    for ciphertext in sealed:
        decrypt(ciphertext, None, nonce, key)
    return MESSAGES / (middle - begin), MESSAGES / (time.perf_counter() - middle)


# ── handshakes ──────────────────────────────────────────────────────────────────────────────


def _handshakes() -> list[Figure]:
    device, controller = _ends()
    with tempfile.TemporaryDirectory(prefix="qfleet-") as folder:
        server, client = _tls_contexts(Path(folder))
        turns = [
            (
                _rate(lambda: _full(device, controller)),
                _rate(lambda: _resumed(device, controller)),
                _rate(lambda: _tls(server, client)),
            )
            for _ in range(TURNS + 1)
        ][1:]
    full, resumed, tls = (list(column) for column in zip(*turns, strict=True))
    peer = f"TLS 1.3, mutual ECDSA P-256, X25519 (ssl): {spread(tls).text('/s')}"
    return [
        _row("full handshake (X-Wing, ML-DSA-65), both ends", spread(full), peer, ratios(full, tls)),
        _row("resumption (X-Wing), both ends", spread(resumed), peer, ratios(resumed, tls)),
    ]


def _row(what: str, ours: Spread, peer: str, ratio: Spread) -> Figure:
    return Figure(what=what, ours=ours.text("/s"), peer=peer, ratio=ratio.text("×"))


def _rate(work: Callable[[], None]) -> float:
    begin = time.perf_counter()
    for _ in range(HANDSHAKES):
        work()
    return HANDSHAKES / (time.perf_counter() - begin)


def _ends() -> tuple[wire_fleet.DeviceEnd, wire_fleet.ControllerEnd]:
    fleet = wire_fleet.Fleet("benchmark")
    return wire_fleet.DeviceEnd(fleet.device()), wire_fleet.ControllerEnd(fleet.controller())


def _full(device: wire_fleet.DeviceEnd, controller: wire_fleet.ControllerEnd) -> None:
    count = len(controller.received)
    wire_fleet.connect(device, controller)
    assert len(controller.received) == count + 1


def _resumed(device: wire_fleet.DeviceEnd, controller: wire_fleet.ControllerEnd) -> None:
    count = len(controller.received)
    wire_fleet.reconnect(device, controller)
    assert len(controller.received) == count + 1


# ── the peer ────────────────────────────────────────────────────────────────────────────────


def _tls_contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a server and a client that trust one P-256 authority and no tickets."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("authority", authority_key, "authority", authority_key)
    trust = authority.public_bytes(Encoding.PEM).decode()
    contexts = []
    for name, protocol in (("server", ssl.PROTOCOL_TLS_SERVER), ("client", ssl.PROTOCOL_TLS_CLIENT)):
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(cadata=trust)
        context.verify_mode = ssl.CERT_REQUIRED
        key = ec.generate_private_key(ec.SECP256R1())
        file = folder / f"{name}.pem"
        file.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + _certificate(name, key, "authority", authority_key).public_bytes(Encoding.PEM)
        )
        context.load_cert_chain(file)
        contexts.append(context)
    server, client = contexts
    server.num_tickets = 0
    return server, client


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: str, issuer_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    def called(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(called(name))
        .issuer_name(called(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=name == "authority", path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
        .sign(issuer_key, hashes.SHA256())
    )


def _tls(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    """One handshake with certificates on both sides, and one byte to confirm it."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(down, up, server_side=False, server_hostname="server"),
        server.wrap_bio(up, down, server_side=True),
    ]
    open_ends = list(ends)
    while open_ends:
        for end in tuple(open_ends):
            try:
                end.do_handshake()
                open_ends.remove(end)
            except ssl.SSLWantReadError:
                continue
    ends[0].write(b"x")
    assert ends[1].read() == b"x"


if __name__ == "__main__":
    print(table(run()))

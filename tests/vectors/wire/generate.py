"""Make the frozen messages of the wire: ``python -m tests.vectors.wire.generate messages payloads hints``,
and ``peers`` for what devices say to each other.

``messages`` only with a new major version of the protocol: devices in the field speak what is
frozen there. ``payloads`` when a field was added; tests see to it that none has changed. Keys and
seeds are fixed. Encapsulation, HPKE and ML-DSA draw randomness inside the library, so their outputs
are frozen and not made again by tests.
"""

import base64
import json
import sys
from pathlib import Path

from tests.simulation.peer_fleet import ALICE, BOB, End
from tests.simulation.wire_fleet import (
    DAY,
    DEVICE,
    FLEET,
    NOW,
    REGION,
    ControllerEnd,
    DeviceEnd,
    Fleet,
    connect,
    seeded,
)
from tests.vectors.wire import samples

from qfleet_wire import codec
from qfleet_wire.channel import (
    authority,
    certificates,
    enrolment,
    frames,
    initiator,
    invitation,
    keys,
    peer_frames,
    renewal,
    resumption,
    revocation,
)
from qfleet_wire.channel.identity import DeviceIdentity
from qfleet_wire.channel.preshared import PresharedKey, Ring
from qfleet_wire.channel.revocation import Revocations
from qfleet_wire.channel.suites import PrivateShare
from qfleet_wire.channel.xwing import PrivateKey
from qfleet_wire.errors import Refused
from qfleet_wire.names import Millis

FOLDER = Path(__file__).parent
TOKEN_ID, TOKEN_SECRET = b"i" * 16, b"s" * 32
PRESHARED = PresharedKey("k1", b"p" * 32)
FACTS = enrolment.Facts("aarch64", "Raspberry Pi 5", 4, 8 << 30, "0.1.0", "raspberry-pi-5")

Fields = dict[str, bytes]


def token(authority_hash: bytes) -> invitation.JoinToken:
    """The token of the frozen enrolment."""
    return invitation.JoinToken(
        FLEET,
        REGION,
        DEVICE,
        "mqtt://broker.example:1883",
        "enrol",
        "pass",
        authority_hash,
        TOKEN_ID,
        TOKEN_SECRET,
        Millis(NOW + DAY),
    )


def make() -> Fields:
    """Make every message once, from one fleet, one device and one controller."""
    fleet = Fleet("frozen")
    device, controller = fleet.device(), fleet.controller()
    fields = {
        "record": fleet.authority.raw,
        "enrolment_seed": fleet.enrolment.seed,
        "device_seed": keys.save(device.key),
        "controller_seed": keys.save(controller.key),
        "device_chain": b"".join(certificate_framed(device)),
        "controller_chain": b"".join(certificate_framed(controller)),
    }
    fields |= enrol(fleet)
    fields |= at_rest(fleet, device)
    return fields | handshake(fleet, device, controller)


def certificate_framed(own: authority.Credentials) -> list[bytes]:
    """A chain as DER, each certificate after its length in four bytes."""
    return [len(der).to_bytes(4, "big") + der for der in own.chain]


def enrol(fleet: Fleet) -> Fields:
    """The messages of an enrolment."""
    key = keys.generate(seeded("frozen device"))
    one = token(fleet.authority.hash)
    csr = certificates.make_request(key)
    attempt = enrolment.request(one, fleet.authority, csr, FACTS, seeded("frozen request"))
    token_key = invitation.token_key(one.secret, one.token_id)
    request = enrolment.open_request(attempt.frame, fleet.authority, fleet.enrolment, token_key)
    chain = certificates.issue(
        fleet.issuers["device"],
        request.public_key,
        DeviceIdentity(FLEET, DEVICE),
        certificates.lasting(NOW, 90),
        random=fleet.random,
    )
    grant = enrolment.Grant(chain, "device", "login", REGION, b"", NOW)
    return {
        "token": invitation.write(one).encode(),
        "csr": csr,
        "new_device_seed": keys.save(key),
        "reply_seed": attempt.reply.seed,
        "enrol_request": attempt.frame,
        "grant": codec.encode(grant),
        "enrol_answer_grant": enrolment.answer(request, fleet.authority, token_key, grant),
        "enrol_answer_denial": enrolment.answer(
            request, fleet.authority, token_key, enrolment.Denial("the token has expired")
        ),
    }


def at_rest(fleet: Fleet, device: authority.Credentials) -> Fields:
    """What is signed or stored outside a session."""
    listed = Revocations(FLEET, 3, (b"r" * 32,))
    identity = renewal.StoredIdentity(keys.save(device.key), b"csr", device.chain)
    return {
        "revocation_list": revocation.sign(listed, fleet.root_key),
        "protected_key": keys.protect(b"k" * 32, b"passphrase", seeded("frozen key file")),
        "result_signature": keys.result_signature(device.key, [b"one", b"two"]),
        "identities": renewal.write(renewal.Identities(identity, identity)),
    }


def handshake(fleet: Fleet, own: authority.Credentials, controller_own: authority.Credentials) -> Fields:
    """A full handshake with a pre-shared key, messages both ways, a resumption and a refusal."""
    device = DeviceEnd(own, seed="frozen device end", ring=Ring([PRESHARED]))
    controller = ControllerEnd(controller_own, seed="frozen controller end", ring=Ring([PRESHARED]))
    controller.epoch = 7
    controller.revocations = revocation.sign(Revocations(FLEET, 1), fleet.root_key)
    hello = device.hello()
    fields = {"hello": hello[1], "hello_share_seed": _hello_seed(device)}
    (answer,) = controller.receive(hello)
    device.receive(answer)
    assert device.state is not None
    fields |= {"answer": answer[1], "state": resumption.write(device.state)}
    fields["sealed_up"] = device.send(b"a message up")[1]
    controller.receive(("qfleet/1/north/pi-1/up", fields["sealed_up"]))
    fields["sealed_down"] = controller.send(b"a message down")[1]
    fields["controller_record"] = resumption.write(controller.records[DEVICE])
    resume = device.resume()
    fields |= {"resume": resume[1], "resume_share_seed": _resume_seed(device)}
    (resume_answer,) = controller.receive(resume)
    device.receive(resume_answer)
    assert device.state is not None
    fields |= {"resume_answer": resume_answer[1], "resumed_state": resumption.write(device.state)}
    fields["resumed_up"] = device.send(b"resumed")[1]
    fields["refusal"] = frames.refusal(hello[1], Refused("no", code="suite"))
    connect(device, controller)
    return fields


def _hello_seed(device: DeviceEnd) -> bytes:
    assert isinstance(device.attempt, initiator.Attempt)
    return _seed(device.attempt.shares["qfleet1"])


def _resume_seed(device: DeviceEnd) -> bytes:
    assert isinstance(device.attempt, initiator.ResumeAttempt)
    return _seed(device.attempt.share)


def _seed(share: PrivateShare) -> bytes:
    assert isinstance(share, PrivateKey)
    return share.seed


def payload_fields() -> Fields:
    """Every payload, work and result, by direction and kind."""
    named = {"down": samples.DOWN, "up": samples.UP, "work": samples.WORKS, "result": samples.WORK_RESULTS}
    fields: Fields = {}
    for group, items in named.items():
        for item in items:
            fields[f"{group}/{item.__struct_config__.tag}"] = codec.encode(item)
    fields["batch"] = codec.pack(samples.DOWN, epoch=7, sent=NOW)
    return fields


def hints() -> Fields:
    """Unauthenticated hints that came after the first release."""
    return {
        "refusal_rate": frames.refusal(b"a hello", Refused("come again", code="rate"), after_ms=2500),
        "call": frames.call(500),
    }


def peers() -> Fields:
    """A handshake of two devices with a pre-shared key, a message each way, and a refusal."""
    fleet = Fleet("frozen peers")
    rings = [Ring([PRESHARED]), Ring([PRESHARED])]
    alice = End(fleet.device(ALICE), BOB, seed="frozen", ring=rings[0])
    bob = End(fleet.device(BOB), ALICE, seed="frozen", ring=rings[1])
    fields = {
        "record": fleet.authority.raw,
        "alice_seed": keys.save(alice.own.key),
        "bob_seed": keys.save(bob.own.key),
        "alice_chain": b"".join(certificate_framed(alice.own)),
        "bob_chain": b"".join(certificate_framed(bob.own)),
        "hello": alice.begin(),
    }
    attempt = alice.path._attempt
    assert attempt is not None
    fields["hello_share_seed"] = _seed(attempt.shares["qfleet1"])
    fields["answer"] = bob.take(fields["hello"]) or b""
    alice.take(fields["answer"])
    fields["sealed_to_bob"] = alice.seal(b"a message to bob")
    bob.take(fields["sealed_to_bob"])
    fields["sealed_to_alice"] = bob.seal(b"a message to alice")
    fields["refusal"] = peer_frames.refusal(fields["hello"], Refused("no", code="suite"))
    return fields


def write(name: str, fields: Fields) -> None:
    """Write one file: names to base64, sorted."""
    texts = {key: base64.b64encode(value).decode() for key, value in sorted(fields.items())}
    (FOLDER / name).write_text(json.dumps(texts, indent=1) + "\n")


if __name__ == "__main__":
    makers = {"messages": make, "payloads": payload_fields, "hints": hints, "peers": peers}
    for chosen in sys.argv[1:]:
        write(f"{chosen}.json", makers[chosen]())

"""A bundle made by hand: a fleet's authority, two devices that agree about two tasks, and a controller."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import msgspec
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from tests.simulation.wire_fleet import CONTROLLER, NOW, REGION, Fleet
from tests.unit.core_cases import counted, sample

from qfleet_controlplane.planning import kinds, plan, views
from qfleet_controlplane.service import notary, submission
from qfleet_controlplane.store import records
from qfleet_wire import api, codec, payloads
from qfleet_wire.channel import certificates, derivation, identity, keys, provenance
from qfleet_wire.names import DeviceName, Millis, TaskId

JOB = "00000000000000aa"
SEED = 7
PROGRAM = (
    'OPENQASM 3.0; include "stdgates.inc"; input float a; qubit[1] q; bit[1] c; rx(a) q[0]; c = measure q;'
)
REQUEST = api.JobRequest(
    kind="circuit.sample", program=PROGRAM, shots=100, parameters=({"a": 0.5}, {"a": 1.0}), agree=2, of=2
)
NAMES = (DeviceName("a"), DeviceName("b"))


class Member(NamedTuple):
    """A device's or a controller's key and chain."""

    key: MLDSA65PrivateKey
    chain: tuple[bytes, ...]


@functools.cache
def fleet() -> Fleet:
    """The authority."""
    return Fleet()


@functools.cache
def member(name: str, *, days: float = 90.0, at: int = NOW) -> Member:
    """A device of the fleet, or its controller."""
    whole = fleet()
    key = keys.generate(whole.random)
    validity = certificates.lasting(Millis(at), days)
    if name == CONTROLLER:
        who: identity.Identity = identity.ControllerIdentity(whole.name, REGION, CONTROLLER)
        issuer = whole.issuers["controller"]
    else:
        who = identity.DeviceIdentity(whole.name, DeviceName(name))
        issuer = whole.issuers["device"]
    return Member(key, certificates.issue(issuer, key.public_key(), who, validity, random=whole.random))


def parts(signer: Callable[[str], Member] = member) -> dict[str, bytes]:
    """All parts, each device having signed its results."""
    whole = msgspec.structs.replace(submission.specify(REQUEST, SEED), agree=2, copies=2)
    planned = kinds.plan(whole, plan.Fleet(2, 2, kinds.rates(whole)))
    bodies = [_body(each) for each in planned.slices]
    made = {
        "job": codec.encode(provenance.Facts(JOB, fleet().name, "succeeded", NOW, SEED, 2, 2, "0")),
        "request": msgspec.json.encode(REQUEST),
        "specification": codec.encode(whole),
        "plan": codec.encode(planned),
        "works": codec.encode(notary.works(whole, planned)),
        "authority": fleet().authority.raw,
        "revocations": b"",
    }
    first: list[views.Counted] = []
    for number, name in enumerate(NAMES):
        raws = []
        for position in range(number, len(planned.slices), 2):
            told = payloads.Provenance(name, "made-up", "1", SEED, 1.0)
            done = payloads.TaskResult(
                TaskId(f"{JOB}-{position}"),
                1,
                "succeeded",
                told,
                msgspec.Raw(bodies[position]),
            )
            raws.append((position, codec.encode(done)))
        who = signer(name)
        flush = provenance.Flush(
            name,
            keys.result_signature(who.key, [raw for _, raw in raws]),
            b"".join(derivation.plain_hash(raw) for _, raw in raws),
            NOW,
            number,
        )
        made[f"batch {number}"] = codec.encode(flush)
        made[f"chain {number}"] = codec.encode(provenance.Chain(who.chain))
        for at, (position, raw) in enumerate(raws):
            one = provenance.Evidence(position, name, "succeeded", 1, NOW, raw, None, number, at, "x86_64")
            made[f"task {position}"] = codec.encode(one)
        if number == 0:
            first = [
                views.Counted(records.work_result_of(bodies[position]), name, "made-up", "1", 1.0)
                for position, _ in raws
            ]
    heading = views.Heading(JOB, "succeeded", REQUEST)
    made["result"] = msgspec.json.encode(kinds.view(heading, whole, first))
    return made


def _body(part: plan.Slice) -> bytes:
    indices = range(part.first_item, part.first_item + part.items)
    return codec.encode(sample(*(counted(index, 0, {0: 60, 1: 40}, 1) for index in indices)))


def sealed(made: dict[str, bytes], who: Member | None = None, at: int = NOW) -> bytes:
    """A bundle of these parts, signed by the controller or by somebody else."""
    signer = member(CONTROLLER) if who is None else who
    return provenance.seal(made, signer.key, signer.chain, Millis(at))

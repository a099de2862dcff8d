"""The controller's side of handshake and resumption: examine a request, then answer it.

Between the two steps the caller looks at its device table; a revoked device gets no answer. The
answer changes nothing until the first message opens under it (``sessions``); what ``Answered``
carries in ``state`` is stored before the frame is sent.
"""

from dataclasses import dataclass, field

from qfleet_wire import codec
from qfleet_wire.channel import chains, derivation, frames, keys, resumption, schedule, suites
from qfleet_wire.channel.authority import Credentials
from qfleet_wire.channel.derivation import Random
from qfleet_wire.channel.identity import ControllerIdentity, DeviceIdentity
from qfleet_wire.channel.labels import Label
from qfleet_wire.channel.preshared import PresharedKey, agree_on
from qfleet_wire.channel.session import Session
from qfleet_wire.errors import Refused, Untrusted
from qfleet_wire.names import DeviceName, Millis, RegionName
from qfleet_wire.topics import DeviceTopic


@dataclass(frozen=True, slots=True)
class Policy:
    """What a controller states and demands in an answer; ``now`` is its clock, ``suites`` best first."""

    now: Millis
    epoch: int = 0
    revocations: bytes = field(default=b"", repr=False)
    suites: tuple[str, ...] = ("qfleet1",)
    require_preshared_key: bool = False
    rekey_ms: int = 3_600_000


@dataclass(frozen=True, slots=True)
class HelloRequest:
    """A hello whose signature and names have been verified."""

    frame: bytes = field(repr=False)
    body: frames.HelloBody = field(repr=False)
    device: DeviceName
    region: RegionName
    peer: chains.Peer

    @property
    def preshared(self) -> str | None:
        """Id of the pre-shared key that the device used; take it off the ring for ``answer``."""
        return self.body.preshared


@dataclass(frozen=True, slots=True)
class ResumeRequest:
    """A resumption whose proof has been verified."""

    frame: bytes = field(repr=False)
    body: frames.ResumeBody = field(repr=False)
    device: DeviceName
    region: RegionName
    state: resumption.State


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer. Offer ``state`` to the device's record and store it, propose ``session``, then send."""

    frame: bytes = field(repr=False)
    session: Session
    state: resumption.State


def examine(own: Credentials, frame: bytes, topic: DeviceTopic) -> HelloRequest:
    """Verify a hello that came on this topic.

    An expired device certificate is no reason to refuse: its session can only renew. One that has
    not begun is none either, because only clocks can make it so.

    Raises:
        Refused: with a code for the device; ``Untrusted`` when something does not verify.
    """
    message = frames.read(frame, frames.Hello)
    body = frames.read_body(message.body, frames.HelloBody)
    _check_scope(own, body, topic)
    peer = chains.verify(message.chain, own.authority.root)
    if peer.identity != DeviceIdentity(own.identity.fleet, topic.device):
        raise Untrusted(f"certificate is not that of device {topic.device!r}")
    keys.verify(peer.key, message.signature, Label.HELLO_SIGNATURE, peer.certificate_hash, message.body)
    return HelloRequest(frame, body, topic.device, topic.region, peer)


def answer(
    own: Credentials,
    request: HelloRequest,
    policy: Policy,
    *,
    preshared: PresharedKey | None,
    random: Random,
) -> Answered:
    """Answer a verified hello of a device that the table allows.

    Raises:
        Refused: no common suite; a pre-shared key that is required, unknown or used.
        SuiteUnavailable: no suite of the policy works here.
    """
    agree_on(request.preshared, preshared, required=policy.require_preshared_key)
    shares = {share.suite: share.public_key for share in request.body.shares}
    suite = suites.choose(tuple(shares), policy.suites)
    agreed = suite.encapsulate(shares[suite.name], random)
    body = _answer_body(request, suite, policy, agreed.ciphertext, random)
    raw = codec.encode(body)
    ours, theirs = own.peer.certificate_hash, request.peer.certificate_hash
    signature = keys.sign(own.key, Label.ANSWER_SIGNATURE, request.frame, theirs, ours, raw)
    transcript = schedule.handshake_transcript(request.frame, theirs, raw, ours)
    derived = schedule.derive(transcript, schedule.Inputs(agreed.secret, preshared.key if preshared else b""))
    state = resumption.begin(request.peer, own.peer, body, region=request.region, secret=derived.resumption)
    return _answered(frames.write(frames.Answer(raw, own.chain, signature)), state, derived, policy)


def examine_resume(
    own: Credentials,
    frame: bytes,
    topic: DeviceTopic,
    *,
    record: resumption.Record | None,
    now: Millis,
) -> ResumeRequest:
    """Verify a resumption that came on this topic against what is stored for the device.

    Any controller of the region with the same store can do this: a takeover resumes.

    Raises:
        Refused: code ``resumption`` where a full handshake helps, else ``Untrusted``.
    """
    message = frames.read(frame, frames.Resume)
    body = frames.read_body(message.body, frames.ResumeBody)
    _check_scope(own, body, topic)
    state = record.find(body.secret_id) if record else None
    if state is None or resumption.expired(state, now):
        raise Refused("no session to resume: make a full handshake", code="resumption")
    if (state.fleet, state.region, state.device) != (own.identity.fleet, topic.region, topic.device):
        raise Untrusted("the stored session is another device's")
    if not derivation.proves(message.proof, state.secret, Label.RESUME_PROOF, message.body):
        raise Untrusted("the resumption does not prove its secret")
    return ResumeRequest(frame, body, topic.device, topic.region, state)


def answer_resume(request: ResumeRequest, policy: Policy, random: Random) -> Answered:
    """Answer a verified resumption of a device that the table allows.

    Raises:
        Refused: the policy has risen above the session's suite or pre-shared key.
    """
    state = request.state
    if request.body.share.suite != state.suite or state.suite not in policy.suites:
        raise Refused(f"suite {state.suite!r} is not accepted: make a full handshake", code="resumption")
    if policy.require_preshared_key and not state.preshared:
        raise Refused("a pre-shared key is required: make a full handshake", code="resumption")
    (suite,) = suites.usable([state.suite])
    agreed = suite.encapsulate(request.body.share.public_key, random)
    body = _answer_body(request, suite, policy, agreed.ciphertext, random)
    raw = codec.encode(body)
    transcript = schedule.resumption_transcript(
        request.frame, state.device_certificate, raw, state.controllers[0]
    )
    inputs = schedule.Inputs(
        agreed.secret, resumption=derivation.expand(state.secret, Label.RESUMPTION_INPUT)
    )
    derived = schedule.derive(transcript, inputs)
    following = resumption.following(state, derived.resumption, body.session)
    proof = derivation.proof(state.secret, Label.RESUME_ANSWER_PROOF, request.frame, raw)
    return _answered(frames.write(frames.ResumeAnswer(raw, proof)), following, derived, policy)


def _check_scope(own: Credentials, body: frames.HelloBody | frames.ResumeBody, topic: DeviceTopic) -> None:
    """Check version, fleet, region, device and authority of a request against ours and the topic."""
    identity = own.identity
    if not isinstance(identity, ControllerIdentity):
        raise Untrusted("a device's credentials cannot answer")
    if body.version != frames.PROTOCOL:
        raise Refused(f"protocol version {body.version} is not spoken here", code="invalid")
    if (body.fleet, body.authority) != (identity.fleet, own.authority.hash):
        raise Untrusted(f"request is for fleet {body.fleet[:80]!r} under another authority")
    if body.region != topic.region or topic.region != identity.region:
        raise Untrusted(
            f"request is for region {body.region[:80]!r}, this controller leads {identity.region!r}"
        )
    if body.device != topic.device:
        raise Untrusted(f"request of device {body.device[:80]!r} came on the topic of {topic.device!r}")


def _answer_body(
    request: HelloRequest | ResumeRequest,
    suite: suites.Suite,
    policy: Policy,
    ciphertext: bytes,
    random: Random,
) -> frames.AnswerBody:
    return frames.AnswerBody(
        request=frames.frame_hash(request.frame),
        suite=suite.name,
        session=random(frames.SESSION_ID_BYTES),
        ciphertext=ciphertext,
        time=policy.now,
        epoch=policy.epoch,
        revocations=policy.revocations,
        nonce=random(frames.NONCE_BYTES),
        preshared=request.preshared if isinstance(request, HelloRequest) else None,
    )


def _answered(frame: bytes, state: resumption.State, derived: schedule.Derived, policy: Policy) -> Answered:
    session = schedule.open_session("controller", state, derived, rekey_ms=policy.rekey_ms, now=policy.now)
    return Answered(frame, session, state)

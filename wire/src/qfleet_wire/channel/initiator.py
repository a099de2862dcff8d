"""The device's side of handshake and resumption: say hello, judge the answer, hold a session.

An answer that does not verify raises and leaves the attempt as it was: an attacker's answer must
not end it, the true one may still come.
"""

from dataclasses import dataclass, field

import msgspec

from qfleet_wire import codec
from qfleet_wire.channel import (
    chains,
    clock,
    derivation,
    frames,
    keys,
    resumption,
    revocation,
    schedule,
    suites,
)
from qfleet_wire.channel.authority import Credentials
from qfleet_wire.channel.certificates import Validity
from qfleet_wire.channel.derivation import Random
from qfleet_wire.channel.identity import ControllerIdentity, DeviceIdentity
from qfleet_wire.channel.labels import Label
from qfleet_wire.channel.preshared import PresharedKey
from qfleet_wire.channel.session import Session
from qfleet_wire.channel.suites import PrivateShare
from qfleet_wire.errors import AnotherAnswer, PresharedKeyMissing, ResumptionUnusable, Untrusted
from qfleet_wire.names import Millis, RegionName
from qfleet_wire.profile import Security


class Standing(msgspec.Struct, frozen=True):
    """What a device remembers of its controllers; store it whenever it changes.

    ``bound`` is the earliest time it can be now (``clock.lower_bound`` at start), ``revocations``
    the newest list, ``epoch`` the highest of the region's lease.
    """

    bound: Millis
    revocations: bytes = b""
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What stays the same for all of a device's handshakes in one run of its agent."""

    region: RegionName
    boot_id: str
    security: Security
    """The profile's least demands; every suite it accepts is offered."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A hello that waits for its answer. Send ``frame`` again, unchanged, while it waits."""

    frame: bytes = field(repr=False)
    own: Credentials
    circumstances: Circumstances
    shares: dict[str, PrivateShare] = field(repr=False)
    preshared: PresharedKey | None


@dataclass(frozen=True, slots=True)
class ResumeAttempt:
    """A resumption that waits for its answer. Send ``frame`` again, unchanged, while it waits."""

    frame: bytes = field(repr=False)
    state: resumption.State
    authority: chains.Root
    circumstances: Circumstances
    share: PrivateShare = field(repr=False)


@dataclass(frozen=True, slots=True)
class Established:
    """A session as the device holds it.

    Store ``state`` and ``standing`` before the first message is sealed. ``controller`` is None
    after a resumption, where the controller proved the secret and not its name.
    """

    session: Session
    state: resumption.State
    standing: Standing
    stated: Millis
    controller: ControllerIdentity | None


def hello(
    own: Credentials,
    circumstances: Circumstances,
    *,
    preshared: PresharedKey | None,
    random: Random,
) -> Attempt:
    """Begin a full handshake, offering every suite that the profile accepts and that works here.

    Raises:
        SuiteUnavailable: the profile accepts none that works here.
        PresharedKeyMissing: the profile requires one and ``preshared`` is None.
    """
    security = circumstances.security
    if security.require_preshared_key and preshared is None:
        raise PresharedKeyMissing
    shares = suites.offer(security.suites, random)
    identity = _device(own)
    body = codec.encode(
        frames.HelloBody(
            version=frames.PROTOCOL,
            shares=tuple(frames.Share(name, share.public) for name, share in shares.items()),
            fleet=identity.fleet,
            region=circumstances.region,
            device=identity.device,
            authority=own.authority.hash,
            boot_id=circumstances.boot_id,
            nonce=random(frames.NONCE_BYTES),
            preshared=preshared.id if preshared else None,
        )
    )
    signature = keys.sign(own.key, Label.HELLO_SIGNATURE, own.peer.certificate_hash, body)
    frame = frames.write(frames.Hello(body, own.chain, signature))
    return Attempt(frame, own, circumstances, shares, preshared)


def finish(attempt: Attempt, frame: bytes, standing: Standing, *, now: Millis) -> Established:
    """Judge the answer to a hello.

    Args:
        attempt: what was sent.
        frame: an answer frame as it came.
        standing: what the device remembers.
        now: the clock that the session will be used with; it is compared with nothing stated.

    Raises:
        AnotherAnswer: it answers another hello, or a resumption.
        Untrusted: wrong signature, role, fleet or region; a revoked or outdated controller; a
            suite that was not offered.
        Refused: it does not decode.
    """
    _drop_other(frame, frames.Kind.RESUME_ANSWER, frames.ResumeAnswer)
    answer = frames.read(frame, frames.Answer)
    body = _body_for(attempt.frame, answer.body)
    own = attempt.own
    controller = chains.verify(answer.chain, own.authority.root)
    identity = _controller_of(controller, attempt.circumstances.region)
    keys.verify(
        controller.key,
        answer.signature,
        Label.ANSWER_SIGNATURE,
        *(attempt.frame, own.peer.certificate_hash, controller.certificate_hash, answer.body),
    )
    _check_offer(attempt, body)
    standing = _judge(body, standing, own.authority.root, controller.hashes, controller.validity)
    inputs = schedule.Inputs(
        kem=attempt.shares[body.suite].decapsulate(body.ciphertext),
        preshared=attempt.preshared.key if attempt.preshared else b"",
    )
    transcript = schedule.handshake_transcript(
        attempt.frame, own.peer.certificate_hash, answer.body, controller.certificate_hash
    )
    derived = schedule.derive(transcript, inputs)
    state = resumption.begin(
        own.peer, controller, body, region=attempt.circumstances.region, secret=derived.resumption
    )
    session = schedule.open_session("device", state, derived, rekey_ms=_rekey_ms(attempt), now=now)
    return Established(session, state, standing, Millis(body.time), identity)


def why_not_resume(
    state: resumption.State, own: Credentials, security: Security, standing: Standing
) -> str | None:
    """Say why a stored state must not be resumed, so that a full handshake follows; None if it may."""
    if state.device_certificate != own.peer.certificate_hash:
        return "the device has another certificate now"
    if state.suite not in security.suites:
        return f"the profile does not accept suite {state.suite!r}"
    if security.require_preshared_key and not state.preshared:
        return "the profile requires a pre-shared key and none stands behind the session"
    if state.controller_validity.not_after < standing.bound:
        return "the controller's certificate has ended"
    try:
        revocation.check(standing.revocations, own.authority.root, *state.controllers)
    except Untrusted as error:
        return str(error)
    return None


def resume(
    state: resumption.State,
    own: Credentials,
    standing: Standing,
    *,
    circumstances: Circumstances,
    random: Random,
) -> ResumeAttempt:
    """Begin a resumption.

    Raises:
        ResumptionUnusable: with the reason of ``why_not_resume``.
        SuiteUnavailable: the state's suite does not work here any more.
    """
    reason = why_not_resume(state, own, circumstances.security, standing)
    if reason is not None:
        raise ResumptionUnusable(f"the last session cannot be resumed: {reason}")
    (suite,) = suites.usable([state.suite])
    share = suite.generate(random)
    body = codec.encode(
        frames.ResumeBody(
            version=frames.PROTOCOL,
            share=frames.Share(suite.name, share.public),
            fleet=state.fleet,
            region=state.region,
            device=state.device,
            authority=own.authority.hash,
            boot_id=circumstances.boot_id,
            nonce=random(frames.NONCE_BYTES),
            secret_id=resumption.identifier(state.secret),
        )
    )
    frame = frames.write(frames.Resume(body, derivation.proof(state.secret, Label.RESUME_PROOF, body)))
    return ResumeAttempt(frame, state, own.authority.root, circumstances, share)


def finish_resume(attempt: ResumeAttempt, frame: bytes, standing: Standing, *, now: Millis) -> Established:
    """Judge the answer to a resumption; like ``finish``, with a MAC in place of the signature."""
    _drop_other(frame, frames.Kind.ANSWER, frames.Answer)
    answer = frames.read(frame, frames.ResumeAnswer)
    body = _body_for(attempt.frame, answer.body)
    state = attempt.state
    if not derivation.proves(
        answer.proof, state.secret, Label.RESUME_ANSWER_PROOF, attempt.frame, answer.body
    ):
        raise Untrusted("the answer to a resumption does not prove the secret")
    if body.suite != state.suite or body.preshared is not None:
        raise Untrusted(f"the answer to a resumption changes its terms (suite {body.suite!r})")
    standing = _judge(body, standing, attempt.authority, state.controllers, state.controller_validity)
    transcript = schedule.resumption_transcript(
        attempt.frame, state.device_certificate, answer.body, state.controllers[0]
    )
    inputs = schedule.Inputs(
        kem=attempt.share.decapsulate(body.ciphertext),
        resumption=derivation.expand(state.secret, Label.RESUMPTION_INPUT),
    )
    derived = schedule.derive(transcript, inputs)
    following = resumption.following(state, derived.resumption, body.session)
    session = schedule.open_session("device", following, derived, rekey_ms=_rekey_ms(attempt), now=now)
    return Established(session, following, standing, Millis(body.time), None)


def _drop_other(
    frame: bytes, kind: frames.Kind, message: type[frames.Answer] | type[frames.ResumeAnswer]
) -> None:
    """Raise ``AnotherAnswer`` for a whole frame of the other kind: a late answer to what came before."""
    if frame[:1] == bytes((kind,)):
        frames.read(frame, message)
        raise AnotherAnswer


def _body_for(request: bytes, raw: bytes) -> frames.AnswerBody:
    body = frames.read_body(raw, frames.AnswerBody)
    if body.request != frames.frame_hash(request):
        raise AnotherAnswer
    return body


def _controller_of(peer: chains.Peer, region: RegionName) -> ControllerIdentity:
    if not isinstance(peer.identity, ControllerIdentity):
        raise Untrusted(f"device {peer.identity.device!r} answers as if it were a controller")
    if peer.identity.region != region:
        raise Untrusted(f"controller is of region {peer.identity.region!r}, this device of {region!r}")
    return peer.identity


def _check_offer(attempt: Attempt, body: frames.AnswerBody) -> None:
    if body.suite not in attempt.shares:
        raise Untrusted(f"controller chose suite {body.suite!r}, which was not offered", code="suite")
    if body.preshared != (attempt.preshared.id if attempt.preshared else None):
        raise Untrusted("controller changed the pre-shared key", code="preshared-key")


def _judge(
    body: frames.AnswerBody,
    standing: Standing,
    root: chains.Root,
    hashes: tuple[bytes, ...],
    validity: Validity,
) -> Standing:
    """Apply the rules of revocation, time and lease to an authentic answer."""
    revocations = revocation.newest(standing.revocations, body.revocations, root)
    revocation.check(revocations, root, *hashes)
    bound = clock.accept(standing.bound, validity, Millis(body.time))
    if body.epoch < standing.epoch:
        raise Untrusted(
            f"controller leads the region in epoch {body.epoch}, epoch {standing.epoch} was seen before",
            code="expired",
        )
    return Standing(bound, revocations, body.epoch)


def _rekey_ms(attempt: Attempt | ResumeAttempt) -> int:
    return attempt.circumstances.security.rekey_minutes * 60_000


def _device(own: Credentials) -> DeviceIdentity:
    if not isinstance(own.identity, DeviceIdentity):
        raise Untrusted("a controller's credentials cannot say hello")
    return own.identity

"""Checking a provenance bundle without anybody's help: hashes, signatures, chains, roles, times.

Every check is made and every failure named, so that one look tells all that is wrong. What needs the
rules of planning (whether the result follows from the results of the tasks) or an engine (running a task
again) is for whoever has those; ``Checked`` hands over what they need.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from qfleet_wire import codec, payloads
from qfleet_wire.channel import authority, chains, derivation, keys, provenance, revocation
from qfleet_wire.channel.identity import ControllerIdentity, DeviceIdentity
from qfleet_wire.channel.labels import Label
from qfleet_wire.channel.provenance import Bundle, Chain, Evidence, Facts, Flush, Manifest, Works
from qfleet_wire.errors import InvalidMessage, LimitExceeded, Untrusted
from qfleet_wire.names import Millis

T = TypeVar("T")
_DIGEST = derivation.HASH_BYTES


class Finding(NamedTuple):
    """Something that is wrong, and where: ``file``, ``manifest``, ``controller``, or a part's name."""

    part: str
    text: str


@dataclass(slots=True)
class Checked:
    """What a bundle says, as far as it can be read, and what is wrong with it."""

    findings: list[Finding] = field(default_factory=list)
    facts: Facts | None = None
    authority: bytes = b""
    """SHA-256 of the authority record that it stands on."""
    controller: str = ""
    signed: Millis | None = None
    parts: dict[str, bytes] = field(default_factory=dict)
    works: dict[int, bytes] = field(default_factory=dict)
    evidence: list[Evidence] = field(default_factory=list)
    bodies: dict[int, bytes] = field(default_factory=dict)
    """Encoded ``workload.WorkResult`` by position."""
    told: dict[int, payloads.Provenance] = field(default_factory=dict)
    """What each device said of its result by position."""
    signatures: int = 0
    """Signatures of devices that were verified."""

    def note(self, part: str, text: str) -> None:
        """Note something that is wrong."""
        self.findings.append(Finding(part, text))


def check(data: bytes, expected: bytes | None = None) -> Checked:
    """Check a bundle; ``expected`` is the SHA-256 of the fleet's authority record, if it is known.

    Without it all is checked against the record in the bundle, which anybody could have made:
    compare ``Checked.authority`` with what the fleet's people say.
    """
    checked = Checked()
    try:
        bundle = provenance.read(data)
    except (InvalidMessage, LimitExceeded) as error:
        checked.note("file", str(error))
        return checked
    checked.parts = bundle.parts
    trusted = _anchor(checked, expected)
    if trusted is not None:
        _check_controller(checked, bundle, trusted)
    _check_manifest(checked, bundle)
    checked.facts = _part(checked, "job", Facts)
    works = _part(checked, "works", Works)
    checked.works = {} if works is None else provenance.put_together(works)
    _check_devices(checked, trusted)
    _check_coverage(checked)
    return checked


def _anchor(checked: Checked, expected: bytes | None) -> authority.Authority | None:
    record = checked.parts.get("authority", b"")
    checked.authority = authority.record_hash(record)
    try:
        return authority.read_record(record, checked.authority if expected is None else expected)
    except Untrusted as error:
        checked.note("authority", str(error))
        return None


def _check_controller(checked: Checked, bundle: Bundle, trusted: authority.Authority) -> None:
    """The manifest is signed by a controller of the fleet, valid then and not revoked."""
    try:
        peer = _controller(checked, bundle, trusted)
    except (Untrusted, InvalidMessage, LimitExceeded) as error:
        checked.note("controller", str(error))
        return
    try:
        revocation.check(checked.parts.get("revocations", b""), trusted.root, *peer.hashes)
    except Untrusted as error:
        checked.note("revocations", str(error))


def _controller(checked: Checked, bundle: Bundle, trusted: authority.Authority) -> chains.Peer:
    """Who has signed; raise if that must not count."""
    peer = chains.verify(bundle.controller, trusted.root)
    if not isinstance(peer.identity, ControllerIdentity):
        raise Untrusted("the certificate is a device's: only a controller signs bundles")
    checked.controller = f"{peer.identity.region}/{peer.identity.controller}"
    keys.verify(peer.key, bundle.signature, Label.PROVENANCE_SIGNATURE, bundle.manifest)
    signed = codec.decode(bundle.manifest, Manifest, limit=provenance.MOST_BYTES).signed
    checked.signed = signed
    _check_time(peer, signed, "the bundle was signed")
    return peer


def _check_time(peer: chains.Peer, at: Millis, what: str) -> None:
    if not peer.validity.not_before <= at <= peer.validity.not_after:
        raise Untrusted(f"the certificate was not valid when {what} ({at} ms since 1970)")


def _check_manifest(checked: Checked, bundle: Bundle) -> None:
    try:
        manifest = codec.decode(bundle.manifest, Manifest, limit=provenance.MOST_BYTES)
    except (InvalidMessage, LimitExceeded) as error:
        checked.note("manifest", str(error))
        return
    for name in sorted(manifest.parts.keys() - bundle.parts.keys()):
        checked.note(name, "the manifest names this part, but it is not there")
    for name, part in bundle.parts.items():
        if name not in manifest.parts:
            checked.note(name, "the manifest does not name this part")
        elif derivation.plain_hash(part) != manifest.parts[name]:
            checked.note(name, "it is not what the controller has signed")


def _part(checked: Checked, name: str, kind: type[T]) -> T | None:
    """Decode a part; note what is wrong with it."""
    found = checked.parts.get(name)
    if found is None:
        checked.note(name, "this part is missing")
        return None
    try:
        return codec.decode(found, kind, limit=provenance.MOST_BYTES)
    except (InvalidMessage, LimitExceeded) as error:
        checked.note(name, str(error))
        return None


def _numbered(checked: Checked, stem: str, kind: type[T]) -> Iterator[tuple[str, int, T]]:
    """All parts of a name and a number."""
    for name in checked.parts:
        begin, _, number = name.rpartition(" ")
        if begin == stem and number.isascii() and number.isdigit():
            found = _part(checked, name, kind)
            if found is not None:
                yield name, int(number), found


def _check_devices(checked: Checked, trusted: authority.Authority | None) -> None:
    """Every result is signed by the device that it names, with a certificate that was valid."""
    given = {number: one.chain for _, number, one in _numbered(checked, "chain", Chain)}
    flushes: dict[int, Flush] = {}
    for name, number, flush in _numbered(checked, "batch", Flush):
        flushes[number] = flush
        if trusted is not None and _is_signed(checked, name, flush, given.get(flush.chain), trusted):
            checked.signatures += 1
    for name, number, one in _numbered(checked, "task", Evidence):
        if number != one.position:
            checked.note(name, f"it speaks of task {one.position}")
        checked.evidence.append(one)
        _check_evidence(checked, name, one, flushes.get(one.batch))
    checked.evidence.sort(key=lambda one: one.position)


def _is_signed(
    checked: Checked,
    name: str,
    flush: Flush,
    chain: tuple[bytes, ...] | None,
    trusted: authority.Authority,
) -> bool:
    if chain is None:
        checked.note(name, f"chain {flush.chain}, which it was signed under, is missing")
        return False
    try:
        peer = chains.verify(chain, trusted.root)
    except Untrusted as error:
        checked.note(f"chain {flush.chain}", str(error))
        return False
    try:
        _check_flush(flush, peer)
    except Untrusted as error:
        checked.note(name, str(error))
        return False
    return True


def _check_flush(flush: Flush, peer: chains.Peer) -> None:
    if not isinstance(peer.identity, DeviceIdentity) or peer.identity.device != flush.device:
        raise Untrusted(f"the certificate is not that of device {flush.device!r}")
    _check_time(peer, flush.received, "the results came")
    verify_flush(peer, flush.digests, flush.signature)


def verify_flush(peer: chains.Peer, digests: bytes, signature: bytes) -> None:
    """Check a device's signature over the joined SHA-256 of its results; raises ``Untrusted``."""
    each = [digests[at : at + _DIGEST] for at in range(0, len(digests), _DIGEST)]
    keys.verify(peer.key, signature, Label.RESULTS_SIGNATURE, *each)


def _check_evidence(checked: Checked, name: str, one: Evidence, flush: Flush | None) -> None:
    if flush is None:
        checked.note(name, f"batch {one.batch}, which it came in, is missing")
        return
    at = one.batch_position * _DIGEST
    if one.batch_position < 0 or flush.digests[at : at + _DIGEST] != derivation.plain_hash(one.raw):
        checked.note(name, "the device's signature does not cover this result")
    if flush.device != one.device:
        checked.note(name, f"its batch is signed by {flush.device!r}, not by {one.device!r}")
    try:
        result = codec.decode(one.raw, payloads.TaskResult)
    except (InvalidMessage, LimitExceeded) as error:
        checked.note(name, str(error))
        return
    job = "" if checked.facts is None else checked.facts.job
    if (result.task, result.attempt, result.outcome) != (f"{job}-{one.position}", one.attempt, "succeeded"):
        checked.note(name, f"the device's result is of {result.task} attempt {result.attempt}")
    if result.provenance is not None:
        checked.told[one.position] = result.provenance
        if result.provenance.device != one.device:
            checked.note(name, f"the result says that it is from {result.provenance.device!r}")
    body = bytes(result.body) if result.artefact is None else (one.body or b"")
    if result.artefact is not None and derivation.plain_hash(body) != result.artefact:
        checked.note(name, "the large result is not what the device has signed")
    checked.bodies[one.position] = body


def _check_coverage(checked: Checked) -> None:
    """Each task of a job that has succeeded has its result, from as many devices as were to agree."""
    facts = checked.facts
    if facts is None or facts.copies < 1:
        return
    good: dict[int, set[str]] = {}
    for one in checked.evidence:
        if one.status == "succeeded":
            good.setdefault(one.position // facts.copies, set()).add(one.device)
    wanted = {position // facts.copies for position in checked.works}
    for index in sorted(wanted):
        devices = len(good.get(index, ()))
        if devices < facts.agree and (devices or facts.status == "succeeded"):
            first = index * facts.copies
            checked.note(f"task {first}", f"{devices} devices agree about it, {facts.agree} had to")

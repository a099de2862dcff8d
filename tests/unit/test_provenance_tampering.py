"""A provenance bundle that was touched anywhere: found, and named."""

import functools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.simulation.wire_fleet import CONTROLLER, DAY, NOW, Fleet
from tests.unit import provenance_bundle as made
from tests.unit.provenance_bundle import member, sealed

from qfleet_controlplane.service import auditing
from qfleet_wire import codec
from qfleet_wire.channel import derivation, provenance, revocation, verification
from qfleet_wire.channel.auditing import Question, Rerun

PARTS = made.parts()
GOOD = sealed(PARTS)
ANCHOR = made.fleet().authority.hash


def wrong(data: bytes) -> set[str]:
    """The parts that a check finds fault with."""
    return {finding.part for finding in verification.check(data, ANCHOR).findings}


def test_the_bundle_itself_is_good() -> None:
    checked = verification.check(GOOD, ANCHOR)
    assert checked.findings == []
    assert (checked.controller, checked.signed, checked.signatures) == ("north/c1", NOW, 2)
    assert auditing.audit(Question(PARTS)).findings == ()


@functools.cache
def sections() -> dict[str, range]:
    """Where each section of the file lies."""
    bundle = provenance.read(GOOD)
    pieces = {"manifest": bundle.manifest, "signature": bundle.signature, **PARTS}
    pieces |= {f"controller {n}": der for n, der in enumerate(bundle.controller)}
    found = {}
    for name, piece in pieces.items():
        if piece:
            start = GOOD.index(piece)
            found[name] = range(start, start + len(piece))
    return found


@pytest.mark.parametrize("section", sorted(sections()))
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_byte_that_is_changed_in_a_section_is_found_and_the_section_named(
    section: str, data: st.DataObject
) -> None:
    place = data.draw(st.sampled_from(sections()[section]))
    flip = data.draw(st.integers(1, 255))
    touched = bytearray(GOOD)
    touched[place] ^= flip
    found = wrong(bytes(touched))
    named = (
        "controller"
        if section in {"manifest", "signature"}
        else section.removesuffix(" 0").removesuffix(" 1")
    )
    assert section in found or named in found, (place, flip, found)


@settings(max_examples=30, deadline=None)
@given(place=st.integers(0, len(GOOD) - 1), flip=st.integers(1, 255))
def test_a_byte_that_is_changed_anywhere_is_found(place: int, flip: int) -> None:
    touched = bytearray(GOOD)
    touched[place] ^= flip
    assert wrong(bytes(touched))


@settings(max_examples=30, deadline=None)
@given(end=st.integers(0, len(GOOD) - 1))
def test_a_file_that_is_cut_off_is_found(end: int) -> None:
    assert wrong(GOOD[:end]) == {"file"}
    assert wrong(GOOD + GOOD[:end] + b"\0") == {"file"}


@pytest.mark.parametrize("name", sorted(PARTS))
def test_a_part_that_is_missing_is_named(name: str) -> None:
    bundle = provenance.read(GOOD)
    parts = {other: part for other, part in bundle.parts.items() if other != name}
    assert name in wrong(codec.encode(msgspec.structs.replace(bundle, parts=parts)))


def test_a_part_that_was_added_is_named() -> None:
    bundle = provenance.read(GOOD)
    more = msgspec.structs.replace(bundle, parts=bundle.parts | {"note": b"believe me"})
    assert wrong(codec.encode(more)) == {"note"}


def test_a_controller_cannot_alter_what_a_device_has_signed() -> None:
    one = codec.decode(PARTS["task 0"], provenance.Evidence)
    altered = msgspec.structs.replace(one, raw=one.raw.replace(b"\x3c\x28", b"\x28\x3c"))
    assert altered != one
    assert wrong(sealed(PARTS | {"task 0": codec.encode(altered)})) == {"task 0"}


def test_a_controller_cannot_let_one_device_count_for_two() -> None:
    one = codec.decode(PARTS["task 1"], provenance.Evidence)
    renamed = msgspec.structs.replace(one, device="a")
    assert "task 1" in wrong(sealed(PARTS | {"task 1": codec.encode(renamed)}))


def test_a_controller_cannot_make_up_a_device() -> None:
    stranger = Fleet(seed="another")
    assert stranger.authority.hash != ANCHOR
    outsider = member("a", days=1.0)
    flush = codec.decode(PARTS["batch 0"], provenance.Flush)
    other = codec.encode(provenance.Chain(outsider.chain))
    assert wrong(sealed(PARTS | {"chain 0": other})) == {"batch 0"}
    assert flush.device == "a"


def test_a_device_signs_no_bundle() -> None:
    assert wrong(sealed(PARTS, member("a"))) == {"controller"}


def test_a_certificate_that_had_ended_counts_for_nothing() -> None:
    late = made.parts(lambda name: member(name, days=1.0, at=NOW - 10 * DAY))
    assert wrong(sealed(late)) == {"batch 0", "batch 1"}
    assert wrong(sealed(PARTS, at=NOW + 400 * DAY)) == {"controller"}


def test_a_revoked_controller_signs_for_nobody() -> None:
    root = made.fleet().root_key
    hashes = tuple(derivation.plain_hash(der) for der in member(CONTROLLER).chain[:1])
    told = revocation.sign(revocation.Revocations(made.fleet().name, 1, hashes), root)
    assert wrong(sealed(PARTS | {"revocations": told})) == {"revocations"}


def test_another_fleets_authority_is_not_taken_for_this_one() -> None:
    stranger = Fleet(seed="another")
    assert "authority" in wrong(sealed(PARTS | {"authority": stranger.authority.raw}))


def test_fewer_devices_than_had_to_agree_are_noticed() -> None:
    lone = {name: part for name, part in PARTS.items() if name != "task 1"}
    assert wrong(sealed(lone)) == {"task 0"}


@pytest.mark.parametrize("part", ["request", "specification", "plan", "works", "result", "job"])
def test_what_does_not_follow_is_named_even_if_a_controller_has_signed_it(part: str) -> None:
    (finding, *_) = auditing.audit(Question(PARTS | {part: forged(part, PARTS[part])})).findings
    assert finding[0] in {part, "specification" if part == "request" else part, "works", "task 0"}


def forged(part: str, data: bytes) -> bytes:
    """The part with something else in it that decodes."""
    match part:
        case "request":
            return data.replace(b'"shots":100', b'"shots":200')
        case "result":
            return data.replace(b'"0":60', b'"0":61')
        case "works":
            works = codec.decode(data, provenance.Works)
            return codec.encode(provenance.Works(works.first, works.tasks[:-1]))
        case "job":
            return codec.encode(msgspec.structs.replace(codec.decode(data, provenance.Facts), seed=1))
    whole = msgspec.msgpack.decode(data)
    if part == "specification":
        whole["shots"] = 200
    else:
        whole["slices"] = whole["slices"][:-2]
    return msgspec.msgpack.encode(whole)


def test_a_part_that_is_nothing_is_said_so() -> None:
    for part in ("job", "request", "specification", "plan", "works", "result", "task 0"):
        assert auditing.audit(Question(PARTS | {part: b"\xc1"})).findings, part


def test_a_task_that_gives_another_result_when_it_is_run_again_is_named() -> None:
    one = codec.decode(PARTS["task 0"], provenance.Evidence)
    same = verification.check(GOOD).bodies[0]
    assert auditing.audit(Question(PARTS, (Rerun(0, same, exact=True),))).findings == ()
    other = same.replace(b"\x3c\x28", b"\x3d\x27")
    ((part, text),) = auditing.audit(Question(PARTS, (Rerun(0, other, exact=True),))).findings
    assert (part, "run again" in text, one.position) == ("task 0", True, 0)
    near = auditing.audit(Question(PARTS, (Rerun(0, other, exact=False),)))
    assert near.findings == (), "one shot of 100 is chance for another engine"

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.simulation.wire_fleet import DAY, NOW, Fleet, seeded

from qfleet_wire.channel import authority, clock, derivation, keys, renewal, revocation
from qfleet_wire.channel.certificates import Validity
from qfleet_wire.channel.renewal import Identities
from qfleet_wire.channel.revocation import Revocations
from qfleet_wire.errors import InvalidKey, Untrusted
from qfleet_wire.limits import LIMITS
from qfleet_wire.names import FleetName, Millis

RANDOM = seeded("clock")
VALIDITY = Validity(Millis(NOW - DAY), Millis(NOW + 30 * DAY))
TIMES = st.integers(0, 2 * NOW).map(Millis)


@cache
def fleet() -> Fleet:
    return Fleet("clock")


# ── time ────────────────────────────────────────────────────────────────────────────────────


@given(TIMES, TIMES, TIMES)
def test_the_bound_is_the_latest_of_stored_build_and_own_certificate(a: Millis, b: Millis, c: Millis) -> None:
    assert clock.lower_bound(stored=a, build=b, own_not_before=c) == max(a, b, c)


@given(TIMES, TIMES)
def test_an_accepted_time_never_lowers_the_bound_nor_lifts_it_past_the_certificate(
    bound: Millis, stated: Millis
) -> None:
    try:
        after = clock.accept(bound, VALIDITY, stated)
    except Untrusted:
        assert bound > VALIDITY.not_after or not VALIDITY.not_before <= stated <= VALIDITY.not_after
    else:
        assert after == max(bound, stated)
        assert after <= VALIDITY.not_after


def test_a_certificate_that_ended_before_the_bound_is_refused() -> None:
    assert clock.accept(VALIDITY.not_after, VALIDITY, NOW) == VALIDITY.not_after
    with pytest.raises(Untrusted, match="ended"):
        clock.accept(Millis(VALIDITY.not_after + 1), VALIDITY, NOW)


def test_a_stated_time_outside_the_certificate_is_refused() -> None:
    for stated in (VALIDITY.not_before - 1, VALIDITY.not_after + 1):
        with pytest.raises(Untrusted, match="states the time"):
            clock.accept(Millis(0), VALIDITY, Millis(stated))


def test_a_clock_of_1970_accepts_and_a_slow_second_controller_is_no_reason_to_refuse() -> None:
    assert clock.accept(Millis(0), VALIDITY, NOW) == NOW
    assert clock.accept(NOW, VALIDITY, Millis(NOW - 5000)) == NOW


# ── revocation ──────────────────────────────────────────────────────────────────────────────


def listed(version: int, *hashes: bytes) -> bytes:
    return revocation.sign(Revocations(fleet().name, version, hashes), fleet().root_key)


def test_the_list_is_signed_by_the_root() -> None:
    root = fleet().authority.root
    assert revocation.read(listed(3, b"h" * 32), root).revoked == (b"h" * 32,)
    issuer = revocation.sign(Revocations(fleet().name, 3), fleet().issuers["controller"].key)
    other = revocation.sign(Revocations(FleetName("borealis"), 3), fleet().root_key)
    for blob in (issuer, other, b"junk", listed(3)[:-1]):
        with pytest.raises(Untrusted):
            revocation.read(blob, root)


def test_no_list_revokes_nobody() -> None:
    root = fleet().authority.root
    assert revocation.read(b"", root) == Revocations(fleet().name, 0)
    revocation.check(b"", root, b"h" * 32)


def test_the_higher_version_is_kept_and_at_a_tie_the_stored_one() -> None:
    root = fleet().authority.root
    one, two, also_two = listed(1), listed(2, b"a" * 32), listed(2, b"b" * 32)
    assert revocation.newest(one, two, root) == two
    assert revocation.newest(two, one, root) == two
    assert revocation.newest(two, also_two, root) == two
    assert revocation.newest(two, b"", root) == two
    assert revocation.newest(b"", one, root) == one


def test_any_certificate_of_the_chain_can_be_revoked() -> None:
    controller = fleet().controller().peer
    for certificate in controller.hashes:
        with pytest.raises(Untrusted, match="list version 4"):
            revocation.check(listed(4, certificate), fleet().authority.root, *controller.hashes)
    revocation.check(listed(4, b"x" * 32), fleet().authority.root, *controller.hashes)


def test_a_list_with_too_many_entries_is_refused() -> None:
    many = [number.to_bytes(32, "big") for number in range(LIMITS.revocations + 1)]
    with pytest.raises(Untrusted, match="not valid"):
        revocation.read(listed(1, *many), fleet().authority.root)
    assert len(revocation.read(listed(1, *many[1:]), fleet().authority.root).revoked) == 512


# ── renewal ─────────────────────────────────────────────────────────────────────────────────


def test_certificates_renew_at_half_their_life_with_jitter() -> None:
    validity = Validity(Millis(0), Millis(100 * DAY))
    for jitter, day in ((0.0, 50), (-1.0, 40), (1.0, 60)):
        assert not renewal.due(validity, Millis(day * DAY - 1), jitter)
        assert renewal.due(validity, Millis(day * DAY), jitter)


def _enrolled() -> Identities:
    device = fleet().device()
    identity = renewal.new_identity(RANDOM)
    return Identities(renewal.StoredIdentity(keys.save(device.key), identity.csr, device.chain))


def _chain_for(identity: renewal.StoredIdentity) -> tuple[bytes, ...]:
    from qfleet_wire.channel import certificates  # noqa: PLC0415 - used by this helper only

    return certificates.issue(
        fleet().issuers["device"],
        certificates.read_request(identity.csr),
        fleet().device().identity,
        certificates.lasting(NOW, 90),
        random=RANDOM,
    )


def test_key_and_csr_are_stored_before_they_are_sent_and_a_second_try_makes_no_second_key() -> None:
    begun = renewal.begin(_enrolled(), RANDOM)
    assert begun.following is not None
    stored = renewal.read(renewal.write(begun))
    assert stored == begun
    assert renewal.begin(stored, RANDOM) == begun


def test_the_old_identity_stays_until_the_new_one_has_opened_a_session() -> None:
    begun = renewal.begin(_enrolled(), RANDOM)
    assert begun.following is not None
    assert begun.to_open == begun.current
    chain = _chain_for(begun.following)
    granted = renewal.granted(begun, begun.following.csr_hash, chain)
    assert granted.current == begun.current
    assert granted.to_open.chain == chain
    authority.credentials(granted.to_open.seed, granted.to_open.chain, fleet().authority)
    old = derivation.plain_hash(begun.current.chain[0])
    assert renewal.opened(granted, old) == granted
    done = renewal.opened(granted, derivation.plain_hash(chain[0]))
    assert done == Identities(granted.to_open)


def test_an_answer_to_another_csr_changes_nothing() -> None:
    enrolled = _enrolled()
    assert renewal.granted(enrolled, b"h" * 32, (b"chain",)) == enrolled
    begun = renewal.begin(enrolled, RANDOM)
    assert renewal.granted(begun, b"h" * 32, (b"chain",)) == begun
    assert renewal.opened(begun, b"h" * 32) == begun


def test_stored_identities_hide_their_seeds_and_damage_is_named() -> None:
    begun = renewal.begin(_enrolled(), RANDOM)
    assert begun.following is not None
    shown = repr(begun) + str(begun.following.__rich_repr__())
    assert repr(begun.following.seed)[2:-1] not in shown
    with pytest.raises(InvalidKey, match="enrol the device again"):
        renewal.read(b"junk")

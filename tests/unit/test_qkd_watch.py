"""What an eavesdropper does to the counts, what is said of it, and what the key loses."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped] # ships no types
from tests.unit import qkd_cases
from tests.unit.qkd_cases import ENTANGLED, LINE, PULSES, SOURCE

from qfleet_agent.qkd import estimation, plan, watch
from qfleet_agent.qkd.errors import ExchangeMisused
from qfleet_agent.qkd.quantum import attacks, laws
from qfleet_wire.errors import InvalidQuantity
from qfleet_wire.qkd import bb84_finite, decoys, detection, reconciliation

LONG = msgspec.structs.replace(PULSES, block_pulses=20_000_000)
PAIRS = msgspec.structs.replace(ENTANGLED, block_pulses=20_000_000)


def reasons(session: plan.Plan, law: laws.PulseLaw | laws.PairLaw | None = None) -> dict[str, str]:
    return {sign.reason: sign.seen for sign in watch.signs(session, qkd_cases.tally(session, law))}


def pairs_law() -> laws.PairLaw:
    assert isinstance(PAIRS.protocol, plan.Pairs)
    return laws.of_pairs(PAIRS.protocol, PAIRS.line)


@given(st.integers(1, 3000), st.floats(1e-4, 0.9), st.floats(0.0, 2.0))
def test_the_tail_is_never_smaller_than_the_real_one(trials: int, chance: float, factor: float) -> None:
    count = min(round(trials * chance * factor), trials)
    below = count < trials * chance
    real = stats.binom.cdf(count, trials, chance) if below else stats.binom.sf(count - 1, trials, chance)
    assert watch.tail(count, trials, (chance, chance)) >= real * (1.0 - 1e-9)


def test_a_span_of_chances_counts_from_its_edges() -> None:
    assert watch.tail(50, 1000, (0.04, 0.06)) == 1.0
    assert watch.tail(10, 1000, (0.04, 0.06)) == pytest.approx(watch.tail(10, 1000, (0.04, 0.04)))
    assert watch.tail(100, 1000, (0.06, 0.04)) == pytest.approx(watch.tail(100, 1000, (0.06, 0.06)))
    few = watch.tail(100, 10**9, (1e-6, 1e-6))
    assert np.log(few) == pytest.approx(-(100 * np.log(0.1) + 900), rel=1e-6)
    assert watch.tail(0, 10**9, (1e-3, 2e-3)) == 0.0
    assert watch.tail(0, 0, (0.1, 0.2)) == 1.0


@pytest.mark.parametrize("session", [LONG, PAIRS], ids=["pulses", "pairs"])
@pytest.mark.parametrize("off_db", [-0.9, 0.0, 0.9])
def test_a_line_that_nobody_listens_on_shows_nothing(session: plan.Plan, off_db: float) -> None:
    weather = qkd_cases.of_line(session, transmittance=0.1 * 10 ** (off_db / 10))
    match weather.protocol:
        case plan.WeakPulses():
            assert reasons(session, laws.of_pulses(weather.protocol, weather.line)) == {}
        case plan.Pairs():
            assert reasons(session, laws.of_pairs(weather.protocol, weather.line)) == {}


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_intercept_and_resend_shows_in_the_error_rate(share: float) -> None:
    honest = laws.of_pulses(SOURCE, LINE)
    found = reasons(LONG, attacks.intercept_resend(honest, share))
    assert list(found) == ["error-rate"]
    assert "above the bound of 11.00%" in found["error-rate"]
    seen = float(found["error-rate"].split()[1].rstrip("%"))
    assert seen == pytest.approx(100 * (0.25 * share + 0.011 * (1 - share / 2)), abs=0.8)
    pairs = reasons(PAIRS, attacks.intercept_resend(pairs_law(), share))
    assert list(pairs) == ["error-rate"]


def test_splitting_photon_numbers_shows_in_the_decoys() -> None:
    law = attacks.photon_number_splitting(SOURCE, LINE)
    honest = laws.of_pulses(SOURCE, LINE)
    assert law.gain[0] == pytest.approx(honest.gain[0], rel=1e-9)  # the signal alone would show nothing
    found = reasons(LONG, law)
    assert list(found) == ["decoy-yields"]
    assert "intensity 0.2 has" in found["decoy-yields"]
    words = found["decoy-yields"].split("a yield of no more than ")[1].replace(", expected", "").split()
    most, expected = float(words[0]), float(words[1])
    assert expected == pytest.approx(0.02, rel=0.01)
    assert most < 0.8 * expected
    # Whoever looked away would still make no key of it.
    assert estimation.estimated(LONG, qkd_cases.tally(LONG, law), leak_bits=0).bits == 0


def test_blinded_detectors_show_in_their_rates() -> None:
    plain = reasons(LONG, attacks.blinding(SOURCE, LINE, efficiency=0.02, share=0.5))
    assert plain["count-rate"].split()[1] == "counts"
    # She forges as many counts as are expected, at a share of the intensities as of a lossy line.
    careful = reasons(LONG, attacks.blinding(SOURCE, LINE, efficiency=0.04))
    assert "count-rate" not in careful
    assert "detectors without dark counts may be blinded" in careful["dark-counts"]
    # With good detectors of her own the intensities give her away as well.
    assert "decoy-yields" in reasons(LONG, attacks.blinding(SOURCE, LINE, efficiency=1.0))
    assert set(reasons(PAIRS, attacks.blinding_pairs(pairs_law()))) == {"count-rate"}


def test_the_key_shortens_by_what_is_disturbed_and_told() -> None:
    """ℓ + leak + what she knows never exceeds the sifted bits, and ℓ falls with the share intercepted."""
    honest = laws.of_pulses(SOURCE, LINE)
    lengths = []
    for share in (0.0, 0.01, 0.03):
        law = attacks.intercept_resend(honest, share)
        assert reasons(LONG, law) == {}
        tally = qkd_cases.tally(LONG, law)
        sifted = int(tally.key.sum())
        errors = sifted * tally.error_rate
        leak = int(reconciliation.leak_bits(sifted, errors))
        found = estimation.estimated(LONG, tally, leak_bits=leak)
        assert found.bits > 0
        assert found.bits + leak + share / 2 * sifted < sifted
        assert found.phase_error > found.error_rate
        more = estimation.estimated(LONG, tally, leak_bits=leak + 1000)
        assert found.bits - more.bits == 1000
        lengths.append(found.bits)
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] < 0.8 * lengths[0]


@pytest.mark.parametrize("blocked", [0.0, 0.2, 0.6, 1.0])
def test_the_bound_on_single_photons_holds_while_they_are_blocked(blocked: float) -> None:
    """Against the single photons that such a line counts: what she splits is not taken for secret."""
    law = attacks.photon_number_splitting(SOURCE, LINE, blocked=blocked)
    found = estimation.estimated(LONG, qkd_cases.tally(LONG, law), leak_bits=0)
    single, none = (
        float(detection.yields(n, LINE.transmittance, plan.receiver_model(LINE.bob))) for n in (1.0, 0.0)
    )
    sent = sum(p * mu * np.exp(-mu) for p, mu in zip(SOURCE.probabilities, SOURCE.intensities, strict=True))
    counted = LONG.pulses * SOURCE.key_basis**2 * sent * ((1.0 - blocked) * single + blocked * none)
    assert found.single <= counted + 6.4 * np.sqrt(counted)
    if blocked == 0.0:
        assert found.single > 0.5 * counted


def test_the_estimate_is_the_bound_that_it_names() -> None:
    tally = qkd_cases.tally(LONG)
    for variant in ("capped", "as printed"):
        session = msgspec.structs.replace(LONG, variant=variant)
        found = estimation.estimated(session, tally, leak_bits=5000)
        counts: Any = {name: getattr(tally, name) for name in ("key", "check", "check_errors")}
        direct = bb84_finite.length(
            decoys.Counts(key_errors=0, **counts),
            plan.source_model(SOURCE),
            leak_bits=5000,
            variant=session.variant,
        )
        assert found.bits == int(direct.bits) > 0
        assert found.bound == f"Lim et al. 2014, {variant}"
    pairs = estimation.estimated(PAIRS, qkd_cases.tally(PAIRS), leak_bits=0)
    assert pairs.bound == "Tomamichel et al. 2012"
    assert 0 < pairs.bits < qkd_cases.tally(PAIRS).key.sum()


@pytest.mark.parametrize(("bits", "whole"), [(127, 0), (128, 128), (135, 128), (136, 136), (0, 0)])
def test_a_key_is_of_whole_bytes_and_long_enough(bits: int, whole: int) -> None:
    found = estimation.estimated(LONG, qkd_cases.tally(PULSES), leak_bits=0)
    assert estimation.in_bytes(msgspec.structs.replace(found, bits=bits)).bits == whole


def test_errors_of_the_key_basis_count_too() -> None:
    assert watch.key_errors(PULSES, 1000, 110) == []
    assert watch.key_errors(PULSES, 0, 0) == []
    (sign,) = watch.key_errors(PULSES, 1000, 111)
    assert sign.seen == "QBER 11.10% of 1,000 bits of the key basis, above the bound of 11.00%"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"session": ""}, "1 to 64 characters"),
        ({"blocks": 0}, "at least one block"),
        ({"delay_s": -1.0}, "the delay not under 0"),
        ({"bounds": plan.Bounds(error_rate=0.6)}, "between 0 and 1/2"),
        ({"line": msgspec.structs.replace(LINE, transmittance=35.0)}, "of a loss in dB"),
        ({"protocol": msgspec.structs.replace(qkd_cases.PAIRS, place=1.5)}, "the place of the source is 1.5"),
        ({"secrecy": 0.0}, "session s1: secrecy is 0"),
        (
            {"protocol": plan.WeakPulses(intensities=(0.1, 0.5, 0.0), probabilities=(0.5, 0.3, 0.2))},
            "μ1 > μ2",
        ),
    ],
)
def test_a_plan_that_nobody_can_follow_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises((ExchangeMisused, InvalidQuantity), match=words):
        plan.checked(msgspec.structs.replace(PULSES, **change))


def test_an_impossible_attack_is_refused() -> None:
    with pytest.raises(ExchangeMisused, match="share of counts that she forges is 2"):
        attacks.blinding(SOURCE, LINE, share=2.0)
    assert np.all(attacks.photon_number_splitting(SOURCE, LINE, blocked=0.0).gain[:, 0] > 0.0)

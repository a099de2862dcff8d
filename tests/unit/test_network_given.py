"""Contacts that a scenario gives: beside computed ones, before them, and refused where they cannot be."""

import re
from pathlib import Path

import pytest

from qfleet_controlplane.errors import InvalidRequest
from qfleet_controlplane.network import scenarios, ways
from qfleet_controlplane.network.survey import Survey, network_of
from qfleet_controlplane.network.surveying import survey
from qfleet_controlplane.network.twin.advance import advance, begin
from qfleet_controlplane.network.twin.model import pair
from qfleet_wire.api.network import ContactView, RouteRequest

MICIUS = scenarios.text_of("micius")
RING = scenarios.text_of("metro-ring")
PAGE = Path(__file__).parents[2] / "docs" / "quantum-network.md"


def contact(a: str, b: str, start: object, end: object, *more: str) -> str:
    said = [f'a = "{a}"', f'b = "{b}"', f"start = {start}", f"end = {end}", *more]
    return "\n".join(["[[contacts]]", *said, ""]) + "\n"


def between(found: Survey, a: str, b: str) -> list[ContactView]:
    return [one for one in found.contacts if {one.a, one.b} == {a, b}]


@pytest.fixture(scope="module")
def plain() -> Survey:
    return survey(MICIUS, "micius.toml")


BITS = "bits = 1000"
FIRST = MICIUS.count("\n") + 1
WRONG = [
    (contact("micius", "gratz", 0, 60, BITS), 2, "no site or satellite 'gratz'; did you mean 'graz'?"),
    (contact("micus", "graz", 0, 60, BITS), 1, "no site or satellite 'micus'; did you mean 'micius'?"),
    (contact("graz", "graz", 0, 60, BITS), 2, "'graz' is joined with itself"),
    (contact("micius", "graz", 60, 0, BITS), 4, "the contact ends -60 s after its start"),
    (contact("micius", "graz", 60, 60.5, BITS), 4, "it must last 1 s or more"),
    (contact("micius", "graz", -1, 60, BITS), 3, "start lies -1 s after the epoch, outside"),
    (contact("micius", "graz", "nan", 60, BITS), 3, "start lies nan s after the epoch, outside"),
    (contact("micius", "graz", 0, 86401, BITS), 4, "end lies 86401 s after the epoch, outside the"),
    (contact("micius", "graz", "2016-12-18T23:59:59Z", 60, BITS), 3, "start lies -1 s after the epoch"),
    (contact("micius", "graz", "2016-12-19T01:00:00", 4000, BITS), 3, "start has no zone"),
    (contact("micius", "graz", '"soon"', 4000, BITS), 3, "start: Invalid RFC3339"),
    (contact("micius", "graz", 0, 60, BITS, "rate_bps = 5"), 6, "bits and rate_bps say the same thing"),
    (contact("micius", "graz", 0, 60, "bits = -1"), 5, "bits = -1 must be in"),
    (contact("micius", "graz", 0, 60, BITS, "qber = 0.2"), 6, "qber = 0.2 must be in [0, 0.11]"),
    (contact("micius", "graz", 0, 60, 'basis = "measured"'), 0, "a measured contact says what was measured"),
    (contact("micius", "graz", 0, 60, 'basis = "guessed"'), 5, "Invalid enum value 'guessed'"),
    (contact("xinglong", "graz", 0, 60), 0, "neither a fibre nor a telescope joins 'xinglong' and 'graz'"),
    (contact("micius", "graz", 0, 60, "bit = 5"), 5, "unknown key 'bit'; did you mean 'bits'?"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "after", "reason"), WRONG, ids=[one[2] for one in WRONG])
def test_what_cannot_be_is_refused_with_its_line(text: str, after: int, reason: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        survey(MICIUS + text, "mine.toml")
    found = re.fullmatch(r"mine\.toml, line (\d+): (.*)", str(caught.value))
    assert found, str(caught.value)
    assert reason in found[2]
    assert int(found[1]) == FIRST + after


def test_overlapping_contacts_are_refused_with_both_lines() -> None:
    given = contact("micius", "graz", 100, 200, BITS) + contact("xinglong", "micius", 100, 200, BITS)
    with pytest.raises(InvalidRequest) as caught:
        survey(MICIUS + given + contact("graz", "micius", 199, 300, BITS), "mine.toml")
    assert str(caught.value) == (
        f"mine.toml, line {FIRST + 14}: the contact of 'graz' and 'micius' from 199 s to 300 s overlaps "
        f"that of line {FIRST}, from 100 s to 200 s: merge them, or cut one short"
    )
    # One that begins when the other ends does not overlap it; nor does that of another pair.
    found = survey(MICIUS + given + contact("graz", "micius", 200, 300, BITS), "mine.toml")
    assert [one.start_s for one in between(found, "graz", "micius")][:2] == [100.0, 200.0]


def test_a_satellite_that_is_out_of_sight_makes_no_key_by_computation() -> None:
    with pytest.raises(InvalidRequest, match=rf"line {FIRST}: 'micius' and 'graz' do not see each other"):
        survey(MICIUS + contact("micius", "graz", 0, 60), "mine.toml")


def test_a_measured_contact_stands_in_the_place_of_the_pass_that_it_was(plain: Survey) -> None:
    (computed,) = between(plain, "micius", "graz")
    middle = (computed.start_s + computed.end_s) / 2
    more = contact("micius", "graz", middle, middle + 30, "bits = 7000", 'basis = "measured"')  # fmt: skip
    found = survey(MICIUS + more, "mine.toml")
    (given,) = between(found, "micius", "graz")
    assert (given.expected_bits, given.clear_bits, given.origin, given.cover) == (7000, 7000, "measured", 0.0)
    assert [one.number for one in found.contacts] == list(range(len(plain.contacts)))
    assert found.passes == plain.passes
    # Clouds, which are likely over Graz, take nothing of what was measured: for any seed the twin makes it.
    for seed in range(3):
        network = network_of(found)
        twin = begin(network, seed)
        advance(network, twin, 86_400.0)
        store = twin.stores[pair("micius", "graz")]
        assert store.made_bits == pytest.approx(7000.0)


def test_clouds_make_a_planned_contact_less_likely() -> None:
    found = survey(MICIUS + contact("graz", "micius", 60_000, 60_100, "rate_bps = 100"), "mine.toml")
    given = next(one for one in found.contacts if one.origin == "planned")
    assert (given.clear_bits, given.cover, given.site) == (10_000.0, 0.3, "graz")
    assert given.expected_bits == pytest.approx(7_000.0)


def test_a_contact_of_the_times_of_a_pass_has_its_key_and_parts_of_it_less(plain: Survey) -> None:
    (whole,) = between(plain, "micius", "xinglong")
    middle_s = (whole.start_s + whole.end_s) / 2
    found = survey(MICIUS + contact("micius", "xinglong", whole.start_s, whole.end_s), "mine.toml")
    (same,) = between(found, "micius", "xinglong")
    assert same.origin == "planned"
    assert (same.expected_bits, same.qber) == pytest.approx((whole.expected_bits, whole.qber))
    halves = contact("micius", "xinglong", whole.start_s, middle_s) + contact(
        "micius", "xinglong", middle_s, whole.end_s
    )
    parts = between(survey(MICIUS + halves, "mine.toml"), "micius", "xinglong")
    # Two blocks pay twice for what is not known of them.
    assert 0.5 * whole.clear_bits < sum(one.clear_bits for one in parts) < whole.clear_bits


def test_a_fibre_keeps_the_time_that_a_given_contact_leaves_it() -> None:
    hour = survey(RING, "ring.toml").contacts[0]
    given = contact(hour.b, hour.a, 600, 900, "bits = 5") + contact(hour.b, hour.a, 900, 4500, "bits = 6")
    found = between(survey(RING + given, "mine.toml"), hour.a, hour.b)
    spans = [(one.start_s, one.end_s, one.origin) for one in found[:4]]
    assert spans == [(0.0, 600.0, "computed"), (600.0, 900.0, "planned"), (900.0, 4500.0, "planned"),
                     (4500.0, 7200.0, "computed")]  # fmt: skip
    rate = hour.expected_bits / 3600.0
    assert [one.expected_bits for one in found[:4]] == pytest.approx([600 * rate, 5, 6, 2700 * rate])
    without = survey(RING + contact(hour.a, hour.b, 600, 900), "mine.toml")
    assert sum(one.expected_bits for one in between(without, hour.a, hour.b)) == pytest.approx(
        24 * 3600 * rate
    )


def test_keys_go_over_given_contacts_alone() -> None:
    given = contact("nanshan", "graz", 100, 200, "bits = 5000")
    found = survey(MICIUS + given, "mine.toml")
    (first, *_) = ways.routes(found, RouteRequest(a="graz", b="nanshan", bits=5000.0)).routes
    assert [(hop.sender, hop.receiver, hop.kind) for hop in first.hops] == [("graz", "nanshan", "air")]
    assert first.arrival_s == 200.0


def test_the_example_of_the_page_is_right(plain: Survey) -> None:
    example = re.search(r"```toml\n(\[\[contacts\]\].*?)```", PAGE.read_text(), re.DOTALL)
    assert example
    found = survey(MICIUS + example[1], "mine.toml")
    (measured,) = between(found, "micius", "xinglong")
    assert (measured.end_s - measured.start_s, measured.expected_bits) == (273.0, 300_939.0)
    computed = between(plain, "micius", "xinglong")[0]
    assert computed.start_s < measured.start_s < measured.end_s < computed.end_s
    assert between(found, "nanshan", "xinglong")[0].expected_bits == 500_000.0

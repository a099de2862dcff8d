"""Which variant a link gets."""

import pytest

from qfleet_agent.errors import ReconciliationUnusable
from qfleet_agent.qkd.reconciliation import choice


@pytest.mark.parametrize(
    ("delay_s", "name"), [(0.0, "thrifty"), (0.005, "thrifty"), (0.05, "option4"), (0.6, "original")]
)
@pytest.mark.parametrize("rate", [0.0, 0.01, 0.03, 0.11])
def test_a_longer_link_gets_fewer_round_trips(delay_s: float, name: str, rate: float) -> None:
    assert choice.chosen(rate, delay_s, within_s=20.0).name == name


def test_the_time_is_the_round_trips_both_ways() -> None:
    found = choice.chosen(0.01, 0.6)
    assert found.name == "original"
    assert found.rounds == 69
    assert found.on_the_way_s == pytest.approx(2 * 0.6 * 69)
    assert choice.chosen(0.01, 0.6, within_s=600.0).name == "thrifty"


def test_a_long_link_may_have_one_message() -> None:
    found = choice.chosen(0.02, 0.6, within_s=20.0, one_way=True)
    assert (found.name, found.rounds) == ("one-way", 3)
    # One way, and a round trip for each further message.
    assert found.on_the_way_s == pytest.approx(0.6 + 2 * 2 * 0.6)
    assert choice.chosen(0.02, 0.005, within_s=20.0, one_way=True).name == "thrifty"
    # There is no code for such rates.
    assert choice.chosen(0.001, 0.6, within_s=20.0, one_way=True).name == "original"
    assert choice.chosen(0.15, 0.6, within_s=20.0, one_way=True).name == "original"


def test_costs_go_from_few_revealed_bits_to_few_round_trips() -> None:
    for cheaper, quicker in zip(choice.COSTS, choice.COSTS[1:], strict=False):
        assert all(one < other for one, other in zip(cheaper.efficiency, quicker.efficiency, strict=True))
        assert all(one > other for one, other in zip(cheaper.rounds, quicker.rounds, strict=True))


@pytest.mark.parametrize(("rate", "delay_s"), [(-0.1, 0.0), (0.3, 0.0), (float("nan"), 0.0), (0.01, -1.0)])
def test_what_cannot_be_is_refused(rate: float, delay_s: float) -> None:
    with pytest.raises(ReconciliationUnusable, match="no variant"):
        choice.chosen(rate, delay_s)

"""The live twin: what links make and demands use, faults, alarms, and how it is stored and read back."""

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qfleet_controlplane.network.twin import relay, sky
from qfleet_controlplane.network.twin.advance import STEP_S, advance, begin, is_over
from qfleet_controlplane.network.twin.eavesdropping import qber_with, shortening
from qfleet_controlplane.network.twin.model import Fault, Network, Store, Supply, Twin, Want, pair


def fibre(number: int, a: str, b: str, start_s: float = 0.0, end_s: float = 3600.0) -> Supply:
    return Supply(
        number=number,
        a=a,
        b=b,
        kind="fibre",
        start_s=start_s,
        end_s=end_s,
        bits=1000 * (end_s - start_s),
        qber=0.02,
    )


def network(*supplies: Supply, wants: tuple[Want, ...] = (), capacity_bits: float = 1e9) -> Network:
    ends = max(supply.end_s for supply in supplies)
    return Network(name="n", duration_s=ends, supplies=supplies, wants=wants, capacity_bits=capacity_bits)


def level(twin: Twin, a: str, b: str) -> float:
    return twin.stores[pair(a, b)].level_bits


def way(twin: Twin) -> tuple[str, ...]:
    return twin.services[0].path


def test_a_link_makes_its_bits_evenly_over_its_time() -> None:
    made = network(fibre(0, "a", "b", 5.0, 1005.0))
    twin = begin(made, 1)
    advance(made, twin, 500.0)
    assert twin.at_s == 500.0
    assert level(twin, "b", "a") == pytest.approx(495_000)
    advance(made, twin, 1e9)
    assert level(twin, "a", "b") == pytest.approx(1_000_000)
    assert is_over(made, twin)
    assert not twin.running
    assert not twin.alarms


def test_keys_are_relayed_over_trusted_nodes_and_used_on_every_hop() -> None:
    made = network(fibre(0, "a", "m"), fibre(1, "m", "b"), wants=(Want(a="a", b="b", rate_bps=400.0),))
    twin = begin(made, 1)
    advance(made, twin, 3600.0)
    assert twin.services[0].served_bits == pytest.approx(400.0 * 3600)
    assert way(twin) == ("a", "m", "b")
    assert level(twin, "a", "m") == pytest.approx(600.0 * 3600)
    assert level(twin, "m", "b") == pytest.approx(600.0 * 3600)


def test_a_demand_above_what_is_made_runs_dry_and_says_so_once_each_time() -> None:
    made = network(fibre(0, "a", "b"), wants=(Want(a="a", b="b", rate_bps=1500.0),))
    twin = begin(made, 1)
    advance(made, twin, 3600.0)
    service = twin.services[0]
    assert service.served_bits + service.missing_bits == pytest.approx(1500.0 * 3600)
    assert service.served_bits == pytest.approx(1000.0 * 3600, rel=0.01)
    dry = [alarm for alarm in twin.alarms if alarm.kind == "empty"]
    assert dry
    assert all(alarm.subject == "a - b" for alarm in dry)
    # Every step but those that found enough is missing; an alarm stands for a whole dry time.
    assert len(dry) <= service.missing_bits / (1500.0 * STEP_S)


def test_traffic_goes_round_a_failed_link_once_its_store_is_empty() -> None:
    wants = (Want(a="a", b="b", rate_bps=900.0),)
    made = network(fibre(0, "a", "b"), fibre(1, "a", "m"), fibre(2, "m", "b"), wants=wants)
    twin = begin(made, 1)
    advance(made, twin, 600.0)
    assert way(twin) == ("a", "b")
    twin.faults[pair("a", "b")] = Fault(kind="failed")
    advance(made, twin, 1200.0)
    assert way(twin) == ("a", "m", "b")
    assert twin.services[0].missing_bits == 0.0
    advance(made, twin, 3600.0)
    assert not [alarm for alarm in twin.alarms if alarm.kind == "empty"]


def test_an_eavesdropper_above_the_bound_ends_the_run_and_its_keys() -> None:
    made = network(fibre(0, "a", "b", 0.0, 1000.0), fibre(1, "a", "b", 1000.0, 2000.0))
    twin = begin(made, 1)
    advance(made, twin, 500.0)
    assert level(twin, "a", "b") == pytest.approx(500_000)
    twin.faults[pair("a", "b")] = Fault(kind="intercepted", share=1.0)
    advance(made, twin, 510.0)
    assert level(twin, "a", "b") == 0.0
    assert [(alarm.kind, alarm.subject) for alarm in twin.alarms] == [("qber", "a - b")]
    assert "25.0 %" in twin.alarms[0].detail
    twin.faults.clear()
    advance(made, twin, 1000.0)
    assert level(twin, "a", "b") == 0.0  # the run is over; the next one begins anew
    advance(made, twin, 2000.0)
    assert level(twin, "a", "b") == pytest.approx(1_000_000)
    assert twin.alarms_raised == 1


def test_a_little_eavesdropping_only_shortens_the_key() -> None:
    quiet, touched = (network(fibre(0, "a", "b")) for _ in range(2))
    whole, short = begin(quiet, 1), begin(touched, 1)
    short.faults[pair("a", "b")] = Fault(kind="intercepted", share=0.1)
    advance(quiet, whole, 3600.0)
    advance(touched, short, 3600.0)
    expected = shortening(0.02, qber_with(0.02, 0.1))
    assert 0.0 < expected < 1.0
    assert level(short, "a", "b") == pytest.approx(expected * level(whole, "a", "b"))
    assert not short.alarms


def test_interception_of_everything_makes_a_quarter_of_errors_and_no_key() -> None:
    assert qber_with(0.01, 1.0) == 0.25
    assert shortening(0.01, 0.25) == 0.0
    assert shortening(0.01, 0.01) == 1.0
    # 1 - 2.16 h(e) = 0 at 9.9 %: above it nothing is left.
    assert shortening(0.01, 0.097) > 0.0
    assert shortening(0.01, 0.101) == 0.0


def satellite(number: int, cover: float, start_s: float = 0.0) -> Supply:
    return Supply(
        number=number, a="sat", b="ground", kind="satellite", start_s=start_s, end_s=start_s + 300.0,
        bits=3e5, qber=0.01, site="ground", cover=cover,
    )  # fmt: skip


def test_clouds_block_a_pass_and_the_missed_contact_is_an_alarm() -> None:
    made = network(satellite(0, 1.0))
    twin = begin(made, 1)
    advance(made, twin, 300.0)
    assert not twin.stores
    assert [(alarm.kind, alarm.detail) for alarm in twin.alarms] == [
        ("missed", "300000 bits were expected, none were made: clouds over ground")
    ]
    # Somebody who listens a little on the line is not why nothing came.
    twin = begin(made, 1)
    twin.faults[pair("sat", "ground")] = Fault(kind="intercepted", share=0.05)
    advance(made, twin, 300.0)
    assert [alarm.detail.rpartition(": ")[2] for alarm in twin.alarms] == ["clouds over ground"]


def test_a_share_of_hours_is_clear_and_the_draw_is_the_same_at_every_look() -> None:
    hours = [3600.0 * hour for hour in range(4000)]
    clear = sum(sky.is_clear(7, "x", at, 0.7) for at in hours)
    # Binomial: mean 1200, deviation 29; seven of them are beyond 1e-11.
    assert abs(clear - 1200) < 7 * math.sqrt(4000 * 0.3 * 0.7)
    assert [sky.is_clear(7, "x", at, 0.7) for at in hours] == [
        sky.is_clear(7, "x", at + 3599.0, 0.7) for at in hours
    ]
    assert not any(sky.is_clear(7, "x", at, 1.0) for at in hours)
    assert all(sky.is_clear(7, "x", at, 0.0) for at in hours)


def test_a_full_store_spills() -> None:
    made = network(fibre(0, "a", "b"), capacity_bits=1e6)
    twin = begin(made, 1)
    advance(made, twin, 3600.0)
    store = twin.stores[pair("a", "b")]
    assert store.level_bits == 1e6
    assert store.made_bits == pytest.approx(store.level_bits + store.spilt_bits)


LEFT, RIGHT, RATES = st.sampled_from("abcd"), st.sampled_from("efgh"), st.floats(0.0, 3000.0)


@settings(max_examples=30)
@given(
    st.lists(st.tuples(LEFT, RIGHT, st.integers(0, 5)), min_size=1, max_size=8),
    st.lists(st.tuples(LEFT, RIGHT, RATES), max_size=4),
    st.lists(st.floats(1.0, 900.0), max_size=6),
    st.integers(0, 3),
)  # fmt: skip
def test_bits_are_conserved_and_time_may_be_cut_up_in_any_way(
    links: list[tuple[str, str, int]], asked: list[tuple[str, str, float]], cuts: list[float], seed: int
) -> None:
    ordered = sorted(links, key=lambda link: link[2])
    supplies = [fibre(n, a, b, 100.0 * s, 100.0 * s + 350.0) for n, (a, b, s) in enumerate(ordered)]
    made = network(*supplies, wants=tuple(Want(a=a, b=b, rate_bps=rate) for a, b, rate in asked))
    whole, parts = begin(made, seed), begin(made, seed)
    advance(made, whole, made.duration_s)
    for cut in sorted(cuts):
        advance(made, parts, cut)
        parts = msgspec.json.decode(msgspec.json.encode(parts), type=Twin)
    advance(made, parts, made.duration_s)
    assert msgspec.json.encode(parts) == msgspec.json.encode(whole)
    for store in whole.stores.values():
        assert store.level_bits >= -1e-6
        assert store.made_bits == pytest.approx(store.level_bits + store.used_bits + store.spilt_bits)
    expected = sum(supply.bits for supply in supplies)
    assert sum(store.made_bits for store in whole.stores.values()) == pytest.approx(expected)


def test_the_way_with_the_fewest_nodes_is_taken_if_every_store_holds_enough() -> None:
    held = (("a", "b", 5.0), ("a", "m", 20.0), ("m", "b", 30.0))
    stores = [Store(a=a, b=b, level_bits=bits) for a, b, bits in held]
    at = relay.neighbours(stores)
    short, long = relay.path(at, "a", "b", 5.0), relay.path(at, "b", "a", 6.0)
    assert short is not None
    assert relay.nodes(short, "a") == ("a", "b")
    assert long is not None
    assert relay.nodes(long, "b") == ("b", "m", "a")
    assert relay.path(at, "a", "b", 21.0) is None

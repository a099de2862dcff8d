"""The best path and the next ones against walking every path; redundant ones against enumeration."""

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qfleet_controlplane.network.entanglement import (
    bell,
    chain,
    graph,
    links,
    operations,
    paths,
    purification,
    redundant,
    stepped,
)

NODES = "ABCDE"
NOISE = operations.Operations(two_qubit=0.99, readout=0.995, swap_success=0.8)


@st.composite
def edges(draw: st.DrawFn) -> list[graph.Edge]:
    """Links between some of five nodes, a few of them twice."""
    pairs = draw(st.lists(st.sampled_from(list(itertools.combinations(NODES, 2))), min_size=3, max_size=9))
    return [
        graph.Edge(
            number=number,
            a=a,
            b=b,
            link=links.Link(
                success=draw(st.sampled_from((0.02, 0.1, 0.1, 0.3))),
                attempt_s=draw(st.sampled_from((1e-3, 2e-3))),
                pair=bell.werner(draw(st.floats(0.6, 0.99))),
            ),
        )
        for number, (a, b) in enumerate(pairs)
    ]


def _walks(network: graph.Network, nodes: tuple[str, ...]) -> Iterator[tuple[graph.Choice, ...]]:
    if nodes[-1] == "E":
        yield ()
        return
    for near, choices in network.choices[nodes[-1]]:
        if near not in nodes:
            for choice, rest in itertools.product(choices, _walks(network, (*nodes, near))):
                yield (choice, *rest)


def _every(network: graph.Network, ask: paths.Ask) -> list[tuple[float, int]]:
    """Rate and hops of each sequence of links at its best purification, best first."""
    best: dict[tuple[int, ...], tuple[float, int]] = {}
    for choices in _walks(network, ("A",)):
        state = bell.werner(max(0.0, _fidelity(network, choices)))
        rate = min(each.rate_hz for each in choices) * network.operations.swap_success ** (len(choices) - 1)
        for rounds in range(ask.final_rounds + 1):
            schedule = purification.recurrence(state, rounds, network.protocol, network.operations)
            if schedule.pair.fidelity >= ask.fidelity:
                numbers = tuple(each.edge.number for each in choices)
                found = (rate / schedule.pairs, len(choices))
                best[numbers] = max(best.get(numbers, (0.0, 0)), found)
    return sorted(best.values(), key=lambda each: (-each[0], each[1]))


def _fidelity(network: graph.Network, choices: Sequence[graph.Choice]) -> float:
    swaps = network.swap ** (len(choices) - 1)
    return bell.fidelity(math.prod(each.parameter for each in choices) * swaps)


@given(edges(), st.floats(0.55, 0.95), st.integers(0, 2), st.integers(0, 2))
@settings(max_examples=120, deadline=None)
def test_paths_come_in_the_order_of_all_that_are_good_enough(
    parts: list[graph.Edge], fidelity: float, rounds: int, final_rounds: int
) -> None:
    network = graph.Network(NODES, parts, operations=NOISE, rounds=rounds)
    ask = paths.Ask(a="A", b="E", fidelity=fidelity, final_rounds=final_rounds)
    every = _every(network, ask)
    if not every:
        with pytest.raises(purification.Unreachable) as said:
            paths.best(network, ask)
        assert said.value.best < fidelity
        return
    found = list(paths.alternatives(network, ask))
    assert [each.rate_hz for each in found] == pytest.approx([rate for rate, _ in every], rel=1e-9)
    assert len({each.links for each in found}) == len(found)
    assert all(each.fidelity >= fidelity for each in found)
    assert paths.best(network, ask) == found[0]
    assert len(found[0].links) == min(hops for rate, hops in every if math.isclose(rate, every[0][0]))


@given(edges(), st.integers(0, 2))
@settings(max_examples=60, deadline=None)
def test_an_impossible_fidelity_is_refused_with_the_best_reachable(
    parts: list[graph.Edge], rounds: int
) -> None:
    network = graph.Network(NODES, parts, operations=NOISE, rounds=rounds)
    best = max((_fidelity(network, each) for each in _walks(network, ("A",))), default=0.0)
    with pytest.raises(purification.Unreachable) as said:
        paths.best(network, paths.Ask(a="A", b="E", fidelity=0.9999))
    assert said.value.best == pytest.approx(best)
    assert ("gives" if best else "no path of entangled links") in str(said.value)


@given(edges(), st.floats(0.55, 0.8))
@settings(max_examples=60, deadline=None)
def test_the_best_chain_in_step_is_the_best_of_all_chains(parts: list[graph.Edge], fidelity: float) -> None:
    memory = operations.Memory(depolarising_s=0.5)
    network = graph.Network(NODES, parts, operations=NOISE)
    chains = [
        chain.delivered([each.edge.link for each in choices], NOISE, memory)
        for choices in _walks(network, ("A",))
    ]
    rates = [each.rate_hz for each in chains if each.pair.fidelity >= fidelity]
    try:
        found = stepped.best(network, paths.Ask(a="A", b="E", fidelity=fidelity), memory)
    except purification.Unreachable:
        assert not rates
        return
    assert found.proven
    assert found.delivery.rate_hz == pytest.approx(max(rates))
    assert found.delivery.rate_hz <= found.path.rate_hz * (1 + 1e-12)
    assert found.delivery.pair.fidelity <= found.path.fidelity + 1e-12


def _square(chances: dict[str, float]) -> graph.Network:
    parts = [
        graph.Edge(
            number=number,
            a=ends[0],
            b=ends[1],
            link=links.Link(success=chance, attempt_s=1e-3, pair=bell.werner(0.95)),
        )
        for number, (ends, chance) in enumerate(chances.items())
    ]
    return graph.Network("ABCD", parts)


def test_few_tries_leave_a_chain_unproven() -> None:
    network = _square({"AB": 0.1, "BD": 0.1, "AC": 0.09, "CD": 0.09, "AD": 0.085})
    ask = paths.Ask(a="A", b="D", fidelity=0.6)
    assert not stepped.best(network, ask, most=1).proven
    full = stepped.best(network, ask)
    # The bound prefers A-B-D; in step the single link is faster.
    assert (full.proven, full.path.nodes) == (True, ("A", "D"))


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (paths.Ask(a="A", b="A", fidelity=0.8), "pairs of A with itself"),
        (paths.Ask(a="A", b="Z", fidelity=0.8), "no node is named 'Z'"),
        (paths.Ask(a="A", b="D", fidelity=1.0), "a fidelity of 1 was asked for"),
        (paths.Ask(a="A", b="D", fidelity=0.5), "must be above 0.5"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(ask: paths.Ask, said: str) -> None:
    with pytest.raises(graph.InvalidNetwork, match=said):
        paths.best(_square({"AB": 0.1}), ask)


def test_networks_and_chains_that_cannot_be_are_refused() -> None:
    link = links.Link(success=0.1, attempt_s=1.0, pair=bell.werner(0.9))
    for part, said in (
        ([graph.Edge(number=1, a="A", b="A", link=link)], "joins A to itself"),
        ([graph.Edge(number=1, a="A", b="Z", link=link)], "no node is named 'Z'"),
        ([graph.Edge(number=1, a="A", b="B", link=link)] * 2, "two links have the number 1"),
    ):
        with pytest.raises(graph.InvalidNetwork, match=said):
            graph.Network("AB", part)
    with pytest.raises(graph.InvalidNetwork, match="does not purify"):
        stepped.best(_square({"AB": 0.1}), paths.Ask(a="A", b="B", fidelity=0.8, final_rounds=1))


@given(st.lists(st.floats(0.05, 1.0), min_size=1, max_size=5), st.integers(1, 5), st.floats(0.3, 1.0))
@settings(max_examples=60, deadline=None)
def test_throughput_is_the_recurrence_of_q_cast(successes: list[float], width: int, swap: float) -> None:
    # Shi and Qian 2020: P_k(i), that the first k hops connect i channels, hop by hop.
    def just(chance: float, count: int) -> float:
        return math.comb(width, count) * chance**count * (1 - chance) ** (width - count)

    connected = [just(successes[0], count) for count in range(width + 1)]
    for chance in successes[1:]:
        hop = [just(chance, count) for count in range(width + 1)]
        connected = [
            connected[count] * sum(hop[count:]) + hop[count] * sum(connected[count + 1 :])
            for count in range(width + 1)
        ]
    expected = sum(count * chance for count, chance in enumerate(connected)) * swap ** (len(successes) - 1)
    assert redundant.throughput(successes, width, swap) == pytest.approx(expected)


def test_recovery_paths_help_as_the_sum_over_all_link_states_says() -> None:
    main, swap = (0.6, 0.5, 0.7, 0.8), 0.9
    detours = [
        redundant.Detour(first=1, last=3, successes=(0.4, 0.9)),
        redundant.Detour(first=1, last=3, successes=(0.3,)),
        redundant.Detour(first=3, last=4, successes=(0.5, 0.6)),
    ]
    every = (*main, *(each for detour in detours for each in detour.successes))
    expected = 0.0
    for state in itertools.product((True, False), repeat=len(every)):
        chance = math.prod(p if up else 1 - p for p, up in zip(every, state, strict=True))
        a, b, c, d, e, f, g, h, i = state
        middle = 2 if (b and c) or (e and f) else 1 if g else 0
        end = 1 if d else 2 if h and i else 0
        if a and middle and end:
            expected += chance * swap ** (1 + middle + end - 1)
    assert redundant.success(main, detours, swap) == pytest.approx(expected)
    assert redundant.success(main, (), swap) == pytest.approx(math.prod(main) * swap**3)


def test_recovery_paths_are_found_beside_the_main_path_and_help() -> None:
    found = {
        ("S", "A"): 0.5,
        ("A", "B"): 0.5,
        ("B", "T"): 0.5,
        ("S", "X"): 0.9,
        ("X", "B"): 0.9,
        ("A", "T"): 0.1,
    }
    chosen = redundant.recoveries("SABT", found, span=2, swap_success=1.0)
    assert [(each.first, each.last, each.nodes) for each in chosen] == [(0, 2, ("S", "X", "B"))]
    assert redundant.success((0.5,) * 3, chosen, 1.0) == pytest.approx((1 - 0.75 * 0.19) * 0.5)
    assert redundant.recoveries("SABT", found, span=1, swap_success=1.0) == []


def test_recovery_paths_raise_the_success_of_random_slots() -> None:
    generator = np.random.default_rng(3)
    runs, swap = 40_000, 0.9
    names = ("SA", "AB", "BT", "SX", "XB", "BY", "YT")
    chances = dict(zip(names, (0.6, 0.6, 0.6, 0.7, 0.7, 0.8, 0.8), strict=True))
    chosen = redundant.recoveries(
        "SABT", {(ends[0], ends[1]): p for ends, p in chances.items()}, span=2, swap_success=swap
    )
    assert {each.nodes for each in chosen} == {("S", "X", "B"), ("B", "Y", "T")}
    up = {name: generator.random(runs) < chance for name, chance in chances.items()}
    near, far = up["SA"] & up["AB"], up["SX"] & up["XB"]
    last, around = up["BT"], up["BY"] & up["YT"]
    connected = (near | far) & (last | around)
    swaps = 1 + 1 + np.where(last, 0, 1)
    works = connected & (generator.random(runs) < swap**swaps)
    expected = redundant.success((0.6, 0.6, 0.6), chosen, swap)
    assert abs(works.mean() - expected) < 6.5 * math.sqrt(expected * (1 - expected) / runs)
    assert expected > redundant.success((0.6, 0.6, 0.6), (), swap)


def _detour(first: int, last: int, success: float = 0.5) -> redundant.Detour:
    return redundant.Detour(first=first, last=last, successes=(success,))


@pytest.mark.parametrize(
    ("detours", "said"),
    [
        (
            [
                redundant.Detour(first=0, last=2, successes=(0.5,)),
                redundant.Detour(first=1, last=3, successes=(0.5,)),
            ],
            "overlaps",
        ),
        ([_detour(2, 1)], "does not fit 3 hops"),
        ([_detour(0, 1, 0.0)], "0 is no probability of success"),
    ],
)
def test_recovery_paths_that_do_not_fit_are_refused(detours: list[redundant.Detour], said: str) -> None:
    with pytest.raises(redundant.InvalidDetour, match=said):
        redundant.success((0.5,) * 3, detours, 1.0)

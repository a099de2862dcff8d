"""The path that delivers most pairs at a demanded fidelity, and the next best ones.

**The model of rate.** Links make pairs all the time and memories are large enough to keep them, so that the
slowest link of a path is never idle: a path of n links delivers min(r) q^(n-1) pairs a second, q the
success of a swap, and the Werner parameters of its links and swaps multiply. Both are upper bounds to a
chain that works in step (`chain`): waiting costs rate and, in real memories, fidelity.

**The search** sets labels (least rate, hops, Werner parameter) best rate first. A label that is no better
in any of the three than another at the same node is dropped: no continuation could make up for it. A label
whose fidelity would fall short even over the best rest of the way is dropped too. Alternatives follow Yen's
algorithm, over links: two paths differ when one link does, whatever the rounds of purification.
"""

import math
from collections.abc import Iterator
from heapq import heappop, heappush
from typing import NamedTuple

import msgspec

from qfleet_controlplane.network.entanglement import bell, purification
from qfleet_controlplane.network.entanglement.graph import Choice, InvalidNetwork, Network

Key = tuple[float, int, tuple[int, ...]]
Reach = dict[str, tuple[float, tuple[str, Choice] | None]]


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """Pairs wanted between two nodes, of at least this fidelity, after up to so many rounds at the ends."""

    a: str
    b: str
    fidelity: float
    final_rounds: int = 0


class Path(msgspec.Struct, frozen=True, kw_only=True):
    """Links one after another, the rounds at each and at the ends, and the pairs that they deliver."""

    nodes: tuple[str, ...]
    choices: tuple[Choice, ...]
    final_rounds: int
    rate_hz: float
    fidelity: float

    @property
    def links(self) -> tuple[int, ...]:
        """Numbers of the links."""
        return tuple(choice.edge.number for choice in self.choices)


class _Label(NamedTuple):
    rate_hz: float
    parameter: float
    nodes: tuple[str, ...]
    choices: tuple[Choice, ...]


def best(network: Network, ask: Ask) -> Path:
    """The path of the highest rate whose pairs are good enough.

    Raises:
        InvalidNetwork: for an unknown node, one with itself, or a fidelity of no entangled pair.
        Unreachable: when no path is good enough, with the best fidelity that one reaches.
    """
    return next(alternatives(network, ask))


def alternatives(network: Network, ask: Ask) -> Iterator[Path]:
    """Paths in order of rate, then of hops, without repeats, until there are no more.

    Raises:
        InvalidNetwork, Unreachable: as `best`, from the first.
    """
    _check(network, ask)
    search = _Search(network, ask)
    found = search.from_prefix((ask.a,), [], frozenset())
    if found is None:
        raise _unreachable(network, ask)
    waiting: list[tuple[Key, Path]] = [(_key(found), found)]
    seen, chosen = {found.links}, list[Path]()
    while waiting:
        _, latest = heappop(waiting)
        yield latest
        chosen.append(latest)
        for hop in range(len(latest.links)):
            begun = latest.links[:hop]
            barred = frozenset(each.links[hop] for each in chosen if each.links[:hop] == begun)
            spur = search.from_prefix(latest.nodes[: hop + 1], list(begun), barred)
            if spur is not None and spur.links not in seen:
                seen.add(spur.links)
                heappush(waiting, (_key(spur), spur))


def best_fidelity(network: Network, ask: Ask) -> Path | None:
    """The path of the highest fidelity, whatever its rate; None where no path joins the two."""
    reach = _reach(network, ask.b, frozenset())
    if ask.a not in reach:
        return None
    nodes, choices = [ask.a], list[Choice]()
    while nodes[-1] != ask.b:
        step = reach[nodes[-1]][1]
        assert step is not None
        nodes.append(step[0])
        choices.append(step[1])
    label = _Label(
        min(each.rate_hz for each in choices), _along(network, choices), tuple(nodes), tuple(choices)
    )
    finished = [_finished(network, label, rounds) for rounds in range(ask.final_rounds + 1)]
    return max(finished, key=lambda each: each.fidelity)


class _Search:
    """Label setting for one question."""

    def __init__(self, network: Network, ask: Ask) -> None:
        self.network = network
        self.ask = ask

    def from_prefix(self, nodes: tuple[str, ...], links: list[int], barred: frozenset[int]) -> Path | None:
        """The best path that begins with these links and goes on by none that is barred."""
        network, ask = self.network, self.ask
        reach = _reach(network, ask.b, frozenset(nodes[:-1]))
        heap: list[tuple[float, int, tuple[int, ...], int, _Label]] = []
        count = 0
        for label in self._begun(nodes, links):
            count = _push(heap, network, label, count)
        kept: dict[str, list[tuple[float, int, float]]] = {}
        best: Path | None = None
        while heap:
            rate, _, _, _, label = heappop(heap)
            if best is not None and (rate, len(label.choices)) > (-best.rate_hz, len(best.choices)):
                break
            node = label.nodes[-1]
            if node == ask.b:
                best = min(filter(None, (best, self._good(label))), key=_key, default=None)
            elif _undominated(kept.setdefault(node, []), label):
                for longer in self._steps(label, reach, barred if node == nodes[-1] else frozenset()):
                    count = _push(heap, network, longer, count)
        return best

    def _steps(self, label: _Label, reach: Reach, barred: frozenset[int]) -> Iterator[_Label]:
        """The label longer by each link from whose end the destination may still be reached well enough."""
        for near, choices in self.network.choices[label.nodes[-1]]:
            if near not in reach or near in label.nodes:
                continue
            for choice in choices:
                longer = self._extended(label, near, choice)
                if choice.edge.number not in barred and self._hopeful(longer, reach[near][0]):
                    yield longer

    def _begun(self, nodes: tuple[str, ...], links: list[int]) -> list[_Label]:
        labels = [_Label(math.inf, 1.0, nodes[:1], ())]
        for near, number in zip(nodes[1:], links, strict=True):
            choices = next(
                each
                for other, each in self.network.choices[labels[0].nodes[-1]]
                if other == near and each[0].edge.number == number
            )
            labels = [self._extended(label, near, choice) for label in labels for choice in choices]
        return labels

    def _extended(self, label: _Label, near: str, choice: Choice) -> _Label:
        swap = self.network.swap if label.choices else 1.0
        return _Label(
            min(label.rate_hz, choice.rate_hz),
            label.parameter * choice.parameter * swap,
            (*label.nodes, near),
            (*label.choices, choice),
        )

    def _hopeful(self, label: _Label, rest: float) -> bool:
        """Whether the best rest of the way could still be good enough."""
        # Rounding must not drop what is just good enough.
        parameter = label.parameter * rest * (1.0 + 1e-12)
        state = bell.werner(min(1.0, max(0.0, bell.fidelity(parameter))))
        return any(
            purification.recurrence(
                state, rounds, self.network.protocol, self.network.operations
            ).pair.fidelity
            >= self.ask.fidelity
            for rounds in range(self.ask.final_rounds + 1)
        )

    def _good(self, label: _Label) -> Path | None:
        """The path with the fewest rounds at the ends that make it good enough."""
        for rounds in range(self.ask.final_rounds + 1):
            path = _finished(self.network, label, rounds)
            if path.fidelity >= self.ask.fidelity:
                return path
        return None


def _push(
    heap: list[tuple[float, int, tuple[int, ...], int, _Label]], network: Network, label: _Label, count: int
) -> int:
    rate = _delivered(network, label)
    links = tuple(each.edge.number for each in label.choices)
    heappush(heap, (-rate, len(links), links, count, label))
    return count + 1


def _delivered(network: Network, label: _Label) -> float:
    return label.rate_hz * network.operations.swap_success ** max(0, len(label.choices) - 1)


def _undominated(kept: list[tuple[float, int, float]], label: _Label) -> bool:
    """Keep a label unless another is at least as good in rate, hops and Werner parameter."""
    mine = (label.rate_hz, -len(label.choices), label.parameter)
    if any(all(a >= b for a, b in zip(each, mine, strict=True)) for each in kept):
        return False
    kept[:] = [each for each in kept if any(a > b for a, b in zip(each, mine, strict=True))]
    kept.append(mine)
    return True


def _finished(network: Network, label: _Label, rounds: int) -> Path:
    state = bell.werner(max(0.0, bell.fidelity(label.parameter)))
    schedule = purification.recurrence(state, rounds, network.protocol, network.operations)
    return Path(
        nodes=label.nodes,
        choices=label.choices,
        final_rounds=rounds,
        rate_hz=_delivered(network, label) / schedule.pairs,
        fidelity=schedule.pair.fidelity,
    )


def _along(network: Network, choices: list[Choice]) -> float:
    return math.prod(each.parameter for each in choices) * network.swap ** (len(choices) - 1)


def _reach(network: Network, target: str, avoid: frozenset[str]) -> Reach:
    """From each node the best product of Werner parameters to the target, and the first step of it.

    A swap is counted for each link but the last, so that a path that already has links multiplies one more
    in.
    """
    found: Reach = {target: (1.0, None)}
    heap: list[tuple[float, str]] = [(-1.0, target)]
    settled: set[str] = set()
    while heap:
        value, node = heappop(heap)
        if node in settled:
            continue
        settled.add(node)
        for near, choices in network.choices[node]:
            if near in avoid:
                continue
            choice = max(choices, key=lambda each: each.parameter)
            new = -value * choice.parameter * network.swap
            if choice.parameter > 0.0 and new > found.get(near, (0.0, None))[0]:
                found[near] = (new, (node, choice))
                heappush(heap, (-new, near))
    return found


def _key(path: Path) -> Key:
    return (-path.rate_hz, len(path.links), path.links)


def _check(network: Network, ask: Ask) -> None:
    if network.place(ask.a) == network.place(ask.b):
        raise InvalidNetwork(f"pairs of {ask.a} with itself were asked for")
    if not 0.5 < ask.fidelity < 1.0:
        raise InvalidNetwork(
            f"a fidelity of {ask.fidelity:g} was asked for; it must be above 0.5, where a Werner pair begins "
            "to be entangled, and below 1, which no real pair has"
        )


def _unreachable(network: Network, ask: Ask) -> purification.Unreachable:
    path = best_fidelity(network, ask)
    if path is None:
        return purification.Unreachable(f"no path of entangled links joins {ask.a} and {ask.b}", best=0.0)
    return purification.Unreachable(
        f"a fidelity of {ask.fidelity:g} cannot be reached between {ask.a} and {ask.b}: the best path, "
        f"{' - '.join(path.nodes)}, gives {path.fidelity:.6g}",
        best=path.fidelity,
    )

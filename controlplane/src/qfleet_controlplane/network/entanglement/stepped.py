"""The best path when links work in step and memories decay, found among those of `paths` in their order.

The rate of `paths` is an upper bound to that of a chain in step, and so is its fidelity; once the next path's
bound is no better than the best chain so far, no further one can be better, and the answer is proven.
"""

import itertools

import msgspec
from msgspec.structs import replace

from qfleet_controlplane.network.entanglement import bell, chain, paths, purification
from qfleet_controlplane.network.entanglement.graph import InvalidNetwork, Network
from qfleet_controlplane.network.entanglement.operations import FOREVER, Memory


class Stepped(msgspec.Struct, frozen=True, kw_only=True):
    """A path, what its chain delivers, and whether no other path delivers more."""

    path: paths.Path
    delivery: chain.Delivery
    proven: bool


def best(network: Network, ask: paths.Ask, memory: Memory = FOREVER, *, most: int = 64) -> Stepped:
    """The path whose chain delivers most pairs that are good enough, among the first ``most`` by their bound.

    Raises:
        InvalidNetwork: as `paths.best`, and where purification is allowed, which a chain in step does not do.
        Unreachable: when none of the chains is good enough.
    """
    if network.rounds or ask.final_rounds:
        raise InvalidNetwork("a chain in step does not purify; ask without rounds of purification")
    found: Stepped | None = None
    reached = 0.0
    proven = True
    for index, path in enumerate(itertools.islice(paths.alternatives(network, ask), most)):
        if found is not None and path.rate_hz <= found.delivery.rate_hz:
            proven = True
            break
        proven = index + 1 < most
        delivery = _chained(network, path, memory)
        reached = max(reached, delivery.pair.fidelity)
        good = delivery.pair.fidelity >= ask.fidelity
        if good and (found is None or delivery.rate_hz > found.delivery.rate_hz):
            found = Stepped(path=path, delivery=delivery, proven=False)
    if found is None:
        raise purification.Unreachable(
            f"a fidelity of {ask.fidelity:g} cannot be reached between {ask.a} and {ask.b} with such "
            f"memories: the best chain of those tried gives {reached:.6g}",
            best=reached,
        )
    return replace(found, proven=proven)


def _chained(network: Network, path: paths.Path, memory: Memory) -> chain.Delivery:
    links = [replace(choice.edge.link, pair=bell.twirled(choice.edge.link.pair)) for choice in path.choices]
    return chain.delivered(links, network.operations, memory)

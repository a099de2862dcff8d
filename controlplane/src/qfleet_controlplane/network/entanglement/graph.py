"""Networks of entanglement: nodes, links between them, and what purification makes of each link.

A link is used as it is, or after some rounds of purification, which cost rate and give fidelity. Routes are
compared by Werner parameters, so that each pair counts as twirled to the Werner pair of its fidelity.
"""

import math
from collections.abc import Iterable, Sequence

import msgspec

from qfleet_controlplane import errors
from qfleet_controlplane.network.entanglement import bell, purification
from qfleet_controlplane.network.entanglement.links import Link
from qfleet_controlplane.network.entanglement.operations import PERFECT, Operations, swap_factor


class InvalidNetwork(errors.InvalidRequest):
    """The network cannot be so."""


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """A link between two nodes; between the same two there may be several, of different numbers."""

    number: int
    a: str
    b: str
    link: Link


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A link after some rounds of purification: pairs a second, and their Werner parameter."""

    edge: Edge
    rounds: int
    rate_hz: float
    parameter: float


class Network:
    """Nodes and links that were checked, with the choices at each link; never changes.

    ``rounds`` is how many rounds of recurrence a link may take. ``swap`` is what a swap leaves of the
    product of two Werner parameters.

    Raises:
        InvalidNetwork: naming the link and what is wrong with it.
    """

    def __init__(
        self,
        nodes: Sequence[str],
        edges: Iterable[Edge],
        *,
        operations: Operations = PERFECT,
        rounds: int = 0,
        protocol: purification.Protocol = "dejmps",
    ) -> None:
        self.nodes = tuple(dict.fromkeys(nodes))
        self.operations = operations
        self.protocol = protocol
        self.rounds = rounds
        self.swap = sum(swap_factor(operations)) / 3.0
        self.choices: dict[str, list[tuple[str, list[Choice]]]] = {node: [] for node in self.nodes}
        self.edges: dict[int, Edge] = {}
        for edge in edges:
            self._check(edge)
            self.edges[edge.number] = edge
            choices = _choices(edge, rounds, protocol, operations)
            self.choices[edge.a].append((edge.b, choices))
            self.choices[edge.b].append((edge.a, choices))

    def place(self, node: str) -> str:
        """The node's name.

        Raises:
            InvalidNetwork: for a name that the network does not know.
        """
        if node not in self.choices:
            raise InvalidNetwork(f"no node is named {node!r}; the network has {', '.join(self.nodes[:8])}")
        return node

    def _check(self, edge: Edge) -> None:
        for node in (edge.a, edge.b):
            self.place(node)
        if edge.a == edge.b:
            raise InvalidNetwork(f"link {edge.number} joins {edge.a} to itself")
        if edge.number in self.edges:
            raise InvalidNetwork(f"two links have the number {edge.number}; each needs its own")


def _choices(
    edge: Edge, rounds: int, protocol: purification.Protocol, operations: Operations
) -> list[Choice]:
    """A link unpurified, and after each number of rounds that still improves it."""
    found: list[Choice] = []
    best = -math.inf
    for count in range(rounds + 1):
        schedule = purification.recurrence(bell.twirled(edge.link.pair), count, protocol, operations)
        if schedule.pair.fidelity <= best:
            break
        best = schedule.pair.fidelity
        found.append(
            Choice(
                edge=edge,
                rounds=count,
                rate_hz=edge.link.rate_hz / schedule.pairs,
                parameter=bell.parameter(best),
            )
        )
    return found

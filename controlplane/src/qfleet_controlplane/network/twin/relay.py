"""Which way keys go between two sites with what the stores hold now: trusted nodes pass them on."""

from collections import deque
from collections.abc import Iterable, Mapping

from qfleet_controlplane.network.twin.model import Store


def neighbours(stores: Iterable[Store]) -> dict[str, list[Store]]:
    """Return the stores at each node, the fullest first."""
    at: dict[str, list[Store]] = {}
    for store in stores:
        at.setdefault(store.a, []).append(store)
        at.setdefault(store.b, []).append(store)
    for found in at.values():
        found.sort(key=lambda store: (-store.level_bits, store.a, store.b))
    return at


def path(at: Mapping[str, list[Store]], a: str, b: str, bits: float) -> tuple[Store, ...] | None:
    """Return the stores of a way with the fewest nodes, each of which holds ``bits``; None: there is none."""
    came: dict[str, Store | None] = {a: None}
    waiting = deque([a])
    while waiting:
        node = waiting.popleft()
        if node == b:
            return _back(came, a, b)
        for store in at.get(node, ()):
            other = store.b if store.a == node else store.a
            if store.level_bits >= bits and other not in came:
                came[other] = store
                waiting.append(other)
    return None


def nodes(way: tuple[Store, ...], a: str) -> tuple[str, ...]:
    """Name the nodes of a way that starts at ``a``."""
    named = [a]
    for store in way:
        named.append(store.b if store.a == named[-1] else store.a)
    return tuple(named)


def _back(came: Mapping[str, Store | None], a: str, b: str) -> tuple[Store, ...]:
    way: list[Store] = []
    node = b
    while node != a and (store := came[node]) is not None:
        way.append(store)
        node = store.b if store.a == node else store.a
    return tuple(reversed(way))

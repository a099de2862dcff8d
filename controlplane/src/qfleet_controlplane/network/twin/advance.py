"""Lets a twin run: from where it is to a later time, in steps. Pure, and the same however it is cut up.

Steps lie on a fixed grid, so a twin that is advanced a second at a time and one that is advanced by a day
go through the same states.
"""

import math
from collections.abc import Iterator

from qfleet_controlplane.network.twin import relay, sky
from qfleet_controlplane.network.twin.alarms import raise_alarm
from qfleet_controlplane.network.twin.eavesdropping import qber_with, shortening
from qfleet_controlplane.network.twin.model import Network, Service, Store, Supply, Twin, Want, pair

STEP_S = 10.0
"""Grid of the simulation: short against a pass, which lasts minutes."""
_ROUNDING = 1e-9


def begin(network: Network, seed: int) -> Twin:
    """Return the network at its epoch: every store empty, nothing wrong."""
    return Twin(seed=seed, services=[Service() for _ in network.wants])


def advance(network: Network, twin: Twin, until_s: float) -> None:
    """Run the twin until the last step that ends by ``until_s`` and by the scenario's end."""
    until_s = min(until_s, network.duration_s)
    while (end_s := _next(twin.at_s, network.duration_s)) <= until_s and end_s > twin.at_s:
        _make(network, twin, end_s)
        _use(network, twin, end_s)
        twin.at_s = end_s


def is_over(network: Network, twin: Twin) -> bool:
    """Whether the scenario has ended."""
    return twin.at_s >= network.duration_s


def _next(at_s: float, duration_s: float) -> float:
    return min((math.floor(at_s / STEP_S + _ROUNDING) + 1) * STEP_S, duration_s)


# ── what the links make ─────────────────────────────────────────────────────────────────────────────


def _make(network: Network, twin: Twin, end_s: float) -> None:
    while twin.begun < len(network.supplies) and network.supplies[twin.begun].start_s < end_s:
        twin.running[network.supplies[twin.begun].number] = 0.0
        twin.begun += 1
    for supply in _running(network, twin):
        made = _bits(twin, supply, end_s)
        if made > 0.0:
            twin.running[supply.number] += made
            _put(network, twin, supply, made)
        if supply.end_s <= end_s:
            _ended(twin, supply, twin.running.pop(supply.number))


def _running(network: Network, twin: Twin) -> Iterator[Supply]:
    for number in list(twin.running):
        yield network.supplies[number]


def _bits(twin: Twin, supply: Supply, end_s: float) -> float:
    """Secret bits of a supply in the step that ends at ``end_s``."""
    overlap_s = min(end_s, supply.end_s) - max(twin.at_s, supply.start_s)
    if overlap_s <= 0.0 or supply.number in twin.barred:
        return 0.0
    factor = 1.0
    fault = twin.faults.get(pair(supply.a, supply.b))
    if fault is not None:
        if fault.kind == "failed":
            return 0.0
        seen = qber_with(supply.qber, fault.share)
        factor = shortening(supply.qber, seen)
        if factor == 0.0:
            _bar(twin, supply, seen, end_s)
            return 0.0
    if supply.site and not sky.is_clear(twin.seed, supply.site, twin.at_s, supply.cover):
        return 0.0
    return factor * supply.bits * overlap_s / (supply.end_s - supply.start_s)


def _bar(twin: Twin, supply: Supply, seen: float, end_s: float) -> None:
    """End a supply with somebody on the line: what this run has made is destroyed."""
    twin.barred.add(supply.number)
    store = twin.stores.get(pair(supply.a, supply.b))
    lost = 0.0 if store is None else min(store.level_bits, twin.running[supply.number])
    if store is not None:
        store.level_bits -= lost
        store.spilt_bits += lost
    errors = f"QBER {100 * seen:.1f} % instead of {100 * supply.qber:.1f} %"
    detail = f"{errors}: the run ends, {lost:.0f} bits of it are destroyed"
    raise_alarm(twin, end_s, "qber", f"{supply.a} - {supply.b}", detail)


def _put(network: Network, twin: Twin, supply: Supply, bits: float) -> None:
    name = pair(supply.a, supply.b)
    store = twin.stores.get(name)
    if store is None:
        store = twin.stores[name] = Store(a=supply.a, b=supply.b)
    room = max(0.0, network.capacity_bits - store.level_bits)
    store.made_bits += bits
    store.level_bits += min(bits, room)
    store.spilt_bits += max(0.0, bits - room)


def _ended(twin: Twin, supply: Supply, made: float) -> None:
    barred = supply.number in twin.barred
    twin.barred.discard(supply.number)
    if made > 0.0 or supply.bits <= 0.0 or barred:
        return
    fault = twin.faults.get(pair(supply.a, supply.b))
    failed = fault is not None and fault.kind == "failed"
    why = "the link has failed" if failed else f"clouds over {supply.site}" if supply.cover else "no key came"
    detail = f"{supply.bits:.0f} bits were expected, none were made: {why}"
    raise_alarm(twin, supply.end_s, "missed", f"{supply.a} - {supply.b}", detail)


# ── what the demands use ────────────────────────────────────────────────────────────────────────────


def _use(network: Network, twin: Twin, end_s: float) -> None:
    at: dict[str, list[Store]] | None = None
    for want, service in zip(network.wants, twin.services, strict=True):
        bits = want.rate_bps * (end_s - twin.at_s)
        way = _known_way(twin, service, bits)
        if way is None:
            at = relay.neighbours(twin.stores.values()) if at is None else at
            way = relay.path(at, want.a, want.b, bits)
        if way is None:
            _short(twin, want, service, bits, end_s)
            continue
        for store in way:
            store.level_bits -= bits
            store.used_bits += bits
        service.served_bits += bits
        service.path, service.short_since = relay.nodes(way, want.a), None


def _known_way(twin: Twin, service: Service, bits: float) -> tuple[Store, ...] | None:
    """The way that a demand took last, if its stores still hold enough."""
    way = []
    for a, b in zip(service.path, service.path[1:], strict=False):
        store = twin.stores.get(pair(a, b))
        if store is None or store.level_bits < bits:
            return None
        way.append(store)
    return tuple(way) or None


def _short(twin: Twin, want: Want, service: Service, bits: float, end_s: float) -> None:
    service.missing_bits += bits
    if service.short_since is None:
        service.short_since = end_s
        detail = f"no stores between them hold {bits:g} bits for a demand of {want.rate_bps:g} bit/s"
        raise_alarm(twin, end_s, "empty", f"{want.a} - {want.b}", detail)

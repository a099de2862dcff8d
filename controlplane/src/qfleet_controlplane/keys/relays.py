"""Relays between places without a link: which route, what it takes of each link, and how it ends.

A route goes over links that are well and whose ends hold enough key, beyond what other relays have booked;
the fewest nodes first, then the fullest links. Whatever is between the ends is trusted, and named.
"""

from collections.abc import Collection, Iterator
from typing import Final

from msgspec.structs import replace

from qfleet_controlplane.errors import Conflict, InvalidRequest
from qfleet_controlplane.keys import places
from qfleet_controlplane.keys.events import Effect, Order, Save, Withdraw
from qfleet_controlplane.keys.model import GRACE_MS, Relay, State, Status, simulated
from qfleet_controlplane.network.twin import relay as ways
from qfleet_controlplane.network.twin.model import Store, pair
from qfleet_wire import key_orders
from qfleet_wire.key_orders import RelayEnded
from qfleet_wire.names import DeviceName, Millis

LEAST_BYTES: Final = 16
MOST_BYTES: Final = 16_384
"""Of one relay's key, as much as devices take."""
HOP_BYTES: Final = 64
"""What a hop takes of its link beside the key's own size: a blinded proof and a tag of 32 bytes each."""
MOST_NODES: Final = 32


def begin(
    state: State, ends: tuple[str, str], relay: Relay, now: Millis, *, without: Collection[str] = ()
) -> tuple[Relay, list[Effect]]:
    """Choose a route for a relay whose route is not known yet, book it and order each device of it.

    ``without`` are nodes that it must not pass.

    Raises:
        InvalidRequest: so many bytes are no key.
        Conflict: no route has enough key.
    """
    if not LEAST_BYTES <= relay.size <= MOST_BYTES:
        raise InvalidRequest(
            f"bytes = {relay.size:,} must lie in [{LEAST_BYTES}, {MOST_BYTES:,}]",
            hint="32 bytes are one key of 256 bits",
            field="bytes",
        )
    way = _route(state, ends, relay.size, now, without)
    if way is None:
        raise Conflict(
            _no_way(state, ends, relay.size, now),
            hint="`qfleet key list` shows what links hold; ask for fewer bytes, or make more key with "
            "`qfleet key exchange`",
        )
    nodes = ways.nodes(way, ends[0])
    seats = places.seats(state.scene)
    found = replace(
        relay,
        route=tuple(seats[node] for node in nodes),
        links=tuple(pair(one.a, one.b) for one in way),
        created=now,
        expires=Millis(now + int(1000 * state.rules.session_s)),
        simulated=simulated(state.light(pair(one.a, one.b)) for one in way),
    )
    body = key_orders.encode(
        key_orders.Relay(
            relay=bytes.fromhex(found.name), route=found.route, size=found.size, expires=found.expires
        )
    )
    state.relays[found.name] = found
    return found, [Save(found), *(Order(device, found.name, body) for device in found.route)]


def booked(state: State, link: str) -> int:
    """Bits of a link that open relays take."""
    return sum(
        _cost(one.size) for one in state.relays.values() if one.status == "ordered" and link in one.links
    )


def heard(state: State, device: DeviceName, said: RelayEnded, now: Millis) -> list[Effect] | None:
    """Take in what a device says; None: it is not on the route of such a relay."""
    relay = state.relays.get(said.relay.hex())
    if relay is None or device not in relay.route:
        return None
    if device in relay.said or relay.status != "ordered":
        return []
    relay = replace(relay, said={**relay.said, device: said.outcome}, bits=max(relay.bits, said.bits))
    if said.outcome == "aborted":
        return close(state, replace(relay, bits=0), "aborted", f"{device}: {said.reason}", now)
    if all(relay.said.get(end) == "key" for end in (relay.route[0], relay.route[-1])):
        return close(state, relay, "key", "", now)
    state.relays[relay.name] = relay
    return [Save(relay)]


def expired(state: State, now: Millis) -> Iterator[Effect]:
    """End the relays whose orders are void and whose devices have had time to finish."""
    for relay in list(state.relays.values()):
        if relay.status == "ordered" and now >= relay.expires + GRACE_MS:
            silent = [end for end in (relay.route[0], relay.route[-1]) if end not in relay.said]
            reason = f"{' and '.join(silent)} did not say how it ended"
            yield from close(state, relay, "expired", reason, now)


def close(state: State, relay: Relay, status: Status, reason: str, now: Millis) -> list[Effect]:
    """End a relay; what was ordered of it and not taken is withdrawn."""
    done = replace(relay, status=status, reason=reason, ended=now)
    state.relays[done.name] = done
    return [Save(done), *(Withdraw(device, done.name) for device in done.route)]


def _route(
    state: State, ends: tuple[str, str], size: int, now: Millis, without: Collection[str]
) -> tuple[Store, ...] | None:
    stores = []
    for name, link in state.scene.links.items():
        stock = state.stock(link, now)
        passed = {link.a, link.b}
        if stock is None or passed == set(ends) or passed & set(without) or _is_broken(state, name):
            continue
        level = stock[0] - booked(state, name)
        stores.append(Store(a=link.a, b=link.b, level_bits=float(level)))
    way = ways.path(ways.neighbours(stores), *ends, float(_cost(size)))
    return None if way is None or len(way) >= MOST_NODES else way


def _is_broken(state: State, link: str) -> bool:
    return link in state.alarms or link in state.scene.faults


def _cost(size: int) -> int:
    return 8 * (size + HOP_BYTES)


def _no_way(state: State, ends: tuple[str, str], size: int, now: Millis) -> str:
    words = (
        f"no route over other places carries {size:,} bytes from {ends[0]} to {ends[1]}: each of its links "
        f"must hold {_cost(size):,} bits at either end"
    )
    broken = [name for name in state.scene.links if _is_broken(state, name)]
    silent = [name for name, link in state.scene.links.items() if state.stock(link, now) is None]
    if broken:
        words += f"; not well: {', '.join(_said(one) for one in broken)}"
    if silent:
        words += f"; ends that do not tell their stock: {', '.join(_said(one) for one in silent)}"
    return words


def _said(link: str) -> str:
    return link.replace("|", " - ")

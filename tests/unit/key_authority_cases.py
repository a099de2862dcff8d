"""A line of five places with devices, as the authority of keys sees it, and its names in sequence."""

import itertools
from collections.abc import Callable

from qfleet_controlplane.keys.model import Rules, Scene, State, Stocked
from qfleet_controlplane.network.key_links import KeyContact, KeyLink, Light
from qfleet_controlplane.network.twin.model import pair
from qfleet_wire.key_orders import LinkStock
from qfleet_wire.key_plans import Receiver, WeakPulses
from qfleet_wire.names import DeviceName, Millis

NOW = Millis(1_700_000_000_000)
BITS = 100_000
LIGHT = Light(
    transmittance=0.1, blocks=8, block_pulses=125_000_000, bits=2e5, qber=0.02, key_basis=0.7
)  # fmt: skip
RINGS = (("a", "b"), ("b", "c"), ("a", "d"), ("d", "c"))
"""Two ways from ``a`` to ``c``; a satellite ``s`` passes over ``a``."""


def device(node: str) -> DeviceName:
    return DeviceName(f"at-{node}")


def link(a: str, b: str) -> KeyLink:
    passes = a == "s"
    return KeyLink(
        a=a,
        b=b,
        devices=(device(a), device(b)),
        kind="satellite" if passes else "fibre",
        protocol=WeakPulses(intensities=(0.5, 0.1, 0.0), probabilities=(0.5, 0.25, 0.25)),
        bob=Receiver(efficiency=0.2, noise=1e-6, misalignment=0.01),
        pulses_hz=1e8,
        delay_s=1e-4,
        bits_per_s=2e4,
        light=None if passes else LIGHT,
        contacts=(KeyContact(start_s=100.0, end_s=400.0, light=LIGHT),) if passes else (),
    )


def links() -> dict[str, KeyLink]:
    return {pair(a, b): link(a, b) for a, b in (*RINGS, ("s", "a"))}


def stocked(bits: int = BITS, now: Millis = NOW) -> dict[DeviceName, Stocked]:
    """Every device holds so many bits with each peer."""
    found: dict[DeviceName, dict[DeviceName, LinkStock]] = {}
    for one in links().values():
        for own, peer in (one.devices, one.devices[::-1]):
            held = LinkStock(peer=peer, ours_bits=bits, all_bits=2 * bits, used_bits=0)
            found.setdefault(own, {})[peer] = held
    return {own: Stocked(now, held) for own, held in found.items()}


def state(*, bits: int = BITS, low_water_bits: int = 0, at_s: float = 0.0) -> State:
    return State(
        scene=Scene(number=1, at_s=at_s, links=links()),
        rules=Rules(low_water_bits=low_water_bits),
        stocks=stocked(bits),
    )


def names() -> Callable[[], bytes]:
    numbers = itertools.count(1)
    return lambda: next(numbers).to_bytes(16, "big")

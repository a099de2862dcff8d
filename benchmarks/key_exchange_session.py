"""Sessions of the key exchange for its benchmark, both ends in one process; run as a module, one at 35 dB."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from benchmarks.circuit_server import peak_bytes

from qfleet_agent.qkd import plan
from qfleet_agent.qkd.exchange import effects, end
from qfleet_agent.qkd.exchange.alice import Alice
from qfleet_agent.qkd.exchange.bob import Bob
from qfleet_agent.qkd.exchange.cascade import Cascade
from qfleet_agent.qkd.exchange.effects import Role
from qfleet_agent.qkd.quantum.apparatus import KEY, Apparatus, Events, Settings, Slots
from qfleet_agent.qkd.quantum.simulated import SimulatedDevice
from qfleet_wire.qkd import links, optimum, quantities

PULSES = 10**9
LOSS_DB = 35.0
HERTZ = 1e9
DETECTOR = plan.Receiver(efficiency=0.8, noise=1e-7, misalignment=0.01)
NEAR = plan.Receiver(efficiency=0.8, noise=1e-6, misalignment=0.02)


@dataclass(frozen=True)
class Ran:
    """What a session took and gave; ``qber`` is that of the check basis."""

    alice_s: float
    bob_s: float
    sifted: int
    qber: float
    told: int
    round_trips: int
    secret: int
    counted: int


class Drawn:
    """A device that has drawn its light already."""

    simulated: ClassVar[bool] = True

    def __init__(self, device: SimulatedDevice, events: list[Events], settings: list[Settings]) -> None:
        self._device = device
        self._events, self._settings = events, settings

    def events(self, block: int) -> Events:
        """As it was drawn."""
        return self._events[block]

    def settings(self, block: int, slots: Slots) -> Settings:
        """As it was drawn: the slots are those of the events."""
        assert len(slots) == len(self._settings[block].basis)
        return self._settings[block]


def long() -> plan.Plan:
    """10^9 pulses at 35 dB, with the settings that give the most key."""
    best = optimum.lasting(
        links.Link(
            transmittance=np.array([10 ** (-LOSS_DB / 10)]),
            receiver=plan.receiver_model(DETECTOR),
            pulses_hz=HERTZ,
        ),
        seconds=PULSES / HERTZ,
    )
    intensities = np.asarray(best.source.intensities)[0].tolist()
    probabilities = np.asarray(best.source.probabilities)[0].tolist()
    return plan.Plan(
        session="35 dB",
        protocol=plan.WeakPulses(
            intensities=tuple(intensities),
            probabilities=tuple(probabilities),
            key_basis=float(np.asarray(best.source.key_basis)[0]),
        ),
        line=plan.Line(transmittance=10 ** (-LOSS_DB / 10), bob=DETECTOR, pulses_hz=HERTZ),
        blocks=20,
        block_pulses=PULSES // 20,
        delay_s=0.005,
    )


def short() -> plan.Plan:
    """A line of little loss with 2 % of errors, and about a million sifted bits."""
    return plan.Plan(
        session="near",
        protocol=plan.WeakPulses(
            intensities=(0.5, 0.2, 0.0), probabilities=(0.6, 0.25, 0.15), key_basis=0.85
        ),
        line=plan.Line(transmittance=0.1, bob=NEAR, pulses_hz=HERTZ),
        blocks=8,
        block_pulses=6_500_000,
        delay_s=0.005,
    )


@dataclass(frozen=True)
class Light:
    """The light of a session, drawn before it begins."""

    alice: SimulatedDevice
    bob: SimulatedDevice
    events: list[Events]
    settings: list[Settings]

    def device(self, _: bytes, role: Role) -> Drawn:
        """An end's device, whatever the seed."""
        return Drawn(self.alice if role == "alice" else self.bob, self.events, self.settings)


def light(session: plan.Plan) -> Light:
    """Draw it."""
    seed = bytes(range(32))
    alice, bob = (SimulatedDevice(session, seed, role) for role in ("alice", "bob"))
    events = [bob.events(block) for block in range(session.blocks)]
    return Light(alice, bob, events, [alice.settings(at, seen.slot) for at, seen in enumerate(events)])


def processed() -> tuple[Ran, float]:
    """Everything between light and key, and f: the bits told over the Shannon limit of the real errors."""
    session = short()
    drawn = light(session)
    events, settings = drawn.events, drawn.settings
    found = ran(session, drawn.device)
    errors = sum(
        int(np.count_nonzero((seen.bit != sent.bit) & (seen.basis == KEY) & (sent.basis == KEY)))
        for seen, sent in zip(events, settings, strict=True)
    )
    limit = found.sifted * float(quantities.binary_entropy(errors / found.sifted))
    return found, found.told / limit


def ran(session: plan.Plan, device: Callable[[bytes, Role], Apparatus]) -> Ran:
    """Run a session from its beginning to two released keys."""
    rng = np.random.default_rng(2)

    def kit(role: Role) -> end.Kit:
        return end.Kit(
            session=session,
            apparatus=lambda seed: device(seed, role),
            randomness=rng.bytes(end.randomness_bytes(session, role)),
            method=Cascade(),
        )

    ends: dict[Role, Alice | Bob] = {"alice": Alice(kit("alice")), "bob": Bob(kit("bob"))}
    way: dict[Role, list[bytes]] = {"alice": [], "bob": []}
    seconds: dict[Role, float] = {"alice": 0.0, "bob": 0.0}
    turns, released = 0, 0
    others: dict[Role, Role] = {"alice": "bob", "bob": "alice"}
    ends["bob"].begin()
    way["bob"] = [each.data for each in ends["alice"].begin() if isinstance(each, effects.Send)]
    while way["alice"] or way["bob"]:
        role: Role = "bob" if way["bob"] else "alice"
        arrived, way[role] = way[role], []
        turns += 1
        for data in arrived:
            began = time.perf_counter()
            asked = ends[role].heard(data)
            seconds[role] += time.perf_counter() - began
            way[others[role]] += [each.data for each in asked if isinstance(each, effects.Send)]
            released += sum(isinstance(each, effects.Release) for each in asked)
    estimate = ends["alice"].record.estimate
    if released != 2 or estimate is None:
        raise RuntimeError(f"the session gave no key: {ends['alice'].record.why}")
    tally = ends["alice"]._tally  # noqa: SLF001 # a benchmark looks inside
    sifted = int(tally.key.sum())
    return Ran(
        alice_s=seconds["alice"],
        bob_s=seconds["bob"],
        sifted=sifted,
        qber=estimate.error_rate,
        told=estimate.leak_bits,
        round_trips=turns // 2,
        secret=estimate.bits,
        counted=tally.counted,
    )


def main() -> None:
    """One session at 35 dB, its time and memory as JSON."""
    session = long()
    before = peak_bytes()
    began = time.perf_counter()
    found = ran(session, lambda seed, role: SimulatedDevice(session, seed, role))
    told = {
        "seconds": time.perf_counter() - began,
        "memory_bytes": peak_bytes(),
        "idle_bytes": before,
        "counted": found.counted,
        "secret": found.secret,
    }
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()

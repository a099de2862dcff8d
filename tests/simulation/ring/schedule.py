"""One schedule from its seed: rough weather, then calm, then everything must come to its end."""

from collections import Counter
from typing import NamedTuple

from tests.simulation.ring import convergence
from tests.simulation.ring.weather import WEATHERS
from tests.simulation.ring.world import World

_MOST_CALM_STEPS = 20_000
_MOST_CALM_MS = 30 * 60_000


class Outcome(NamedTuple):
    """What a schedule was: ``digest`` is the hash over all that happened."""

    digest: str
    steps: int
    faults: Counter[str]


def command(seed: int, weather: str) -> str:
    """How to run a schedule again, exactly as it was."""
    return f"python -m tests.simulation --weather={weather} --seed={seed}"


def run(seed: int, weather: str) -> Outcome:
    """Run one schedule; raise ``Violation`` if anything does not hold."""
    world = begin(seed, weather)
    rough = world.random.choice((40, 100, 160, 240)) * len(world.regions)
    while world.trace.step < rough:
        world.step()
    world.heal()
    world.check(everything=True)
    end = world.clock.now + _MOST_CALM_MS
    last = world.trace.step + _MOST_CALM_STEPS
    while not convergence.reached(world):
        if world.clock.now > end or world.trace.step > last:
            convergence.complain(world)
        world.step()
    world.check(everything=True)
    convergence.check(world)
    return Outcome(world.trace.digest, world.trace.step, world.trace.faults)


def begin(seed: int, weather: str) -> World:
    """The world of a schedule before its first step."""
    name = f"ring schedule failed; replay it with: {command(seed, weather)}"
    sky = WEATHERS[weather]
    most = 2 + seed % 2
    if sky.redundant:  # three must be there to decide, wherever a job is
        most = (3 + sky.liar) * sky.regions + seed % 2
    return World(seed, sky, name=name, devices=most)

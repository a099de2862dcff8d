"""A contact plan of the size of a day of 96 satellites over 24 stations, from a seeded generator.

Every pair of satellite and station meets on four to six passes of five to ten minutes, as low orbits do; a
pass gives the more key the longer it is. The stations are joined by 40 fibre links in a ring with chords,
whose key is ready every quarter of an hour.
"""

import itertools
import random

from qfleet_controlplane.network.contacts import model, plan

DAY_S = 86_400.0
SATELLITES = tuple(f"sat{number:02}" for number in range(96))
STATIONS = tuple(f"station{number:02}" for number in range(24))
FIBRES = 40
BLOCK_S = 900.0


def day(seed: int = 5) -> plan.Plan:
    """The plan, the same for the same seed."""
    generator = random.Random(seed)  # a plan, not a secret
    return plan.Plan(STATIONS + SATELLITES, _contacts(generator))


def demands(count: int, seed: int = 6) -> list[model.Demand]:
    """Demands between stations, from some instant of the first three quarters of the day on."""
    generator = random.Random(seed)  # a plan, not a secret
    ends = [generator.sample(STATIONS, 2) for _ in range(count)]
    return [
        model.Demand(
            name=f"demand{number}",
            a=a,
            b=b,
            bits=generator.randint(1_000, 60_000),
            from_s=generator.uniform(0.0, 0.75 * DAY_S),
        )
        for number, (a, b) in enumerate(ends)
    ]


def _contacts(generator: random.Random) -> list[model.Contact]:
    found: list[model.Contact] = []
    for satellite, station in itertools.product(SATELLITES, STATIONS):
        count = generator.randint(4, 6)
        for turn in range(count):
            length_s = generator.uniform(300.0, 600.0)
            start_s = (turn + generator.uniform(0.0, 0.9)) * DAY_S / count
            bits = int((length_s - 250.0) * generator.uniform(100.0, 1_000.0))
            found.append(_contact(len(found), satellite, station, (start_s, start_s + length_s), bits))
    for a, b in _fibres(generator):
        for turn in range(int(DAY_S / BLOCK_S)):
            bits = generator.randint(10_000, 200_000)
            found.append(_contact(len(found), a, b, (turn * BLOCK_S, (turn + 1) * BLOCK_S), bits))
    return found


def _contact(number: int, a: str, b: str, times_s: tuple[float, float], bits: int) -> model.Contact:
    kind: model.Kind = "satellite" if a in SATELLITES else "fibre"
    start_s, end_s = times_s
    return model.Contact(
        number=number, a=a, b=b, start_s=start_s, end_s=min(end_s, DAY_S), expected_bits=bits, kind=kind
    )


def _fibres(generator: random.Random) -> list[tuple[str, str]]:
    ring = list(zip(STATIONS, STATIONS[1:] + STATIONS[:1], strict=True))
    taken = {frozenset(pair) for pair in ring}
    others = [pair for pair in itertools.combinations(STATIONS, 2) if frozenset(pair) not in taken]
    return ring + generator.sample(others, FIBRES - len(ring))

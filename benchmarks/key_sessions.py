"""Sessions over long ways: round trips and seconds by one-way delay, by Cascade and by codes.

The delay is virtual: a message arrives that much later than it was sent, and each end takes as long as its
processor took for what it heard. Light is drawn before and takes no time; the way loses nothing and has any
width. So the seconds are those of two devices as fast as this machine, each with a core of its own.
"""

import heapq
import itertools
import time
from dataclasses import dataclass, field

import msgspec
import numpy as np
from benchmarks import key_exchange_session
from benchmarks.figures import Figure, number

from qfleet_agent.qkd import plan
from qfleet_agent.qkd.exchange import effects, end
from qfleet_agent.qkd.exchange.alice import Alice
from qfleet_agent.qkd.exchange.bob import Bob
from qfleet_agent.qkd.exchange.bydelay import ByDelay
from qfleet_agent.qkd.exchange.cascade import Cascade
from qfleet_agent.qkd.exchange.effects import Role
from qfleet_agent.qkd.exchange.oneway import OneWay
from qfleet_agent.qkd.exchange.reconciling import Method
from qfleet_agent.qkd.reconciliation import choice

DELAYS_S = (0.005, 0.05, 0.6)
_QBER = 0.02
_OTHER: dict[Role, Role] = {"alice": "bob", "bob": "alice"}


@dataclass(frozen=True, order=True)
class Moment:
    """A time, and how many ways one after the other led to it."""

    at: float
    ways: int


@dataclass
class Course:
    """A session in virtual time: what is on its way, and when each end is free again."""

    delay_s: float
    ends: dict[Role, Alice | Bob]
    coming: list[tuple[Moment, int, Role, bytes]] = field(default_factory=list)
    free: dict[Role, Moment] = field(default_factory=lambda: {role: Moment(0.0, 0) for role in _OTHER})
    released: dict[Role, Moment] = field(default_factory=dict)
    order: "itertools.count[int]" = field(default_factory=itertools.count)

    def run(self) -> Moment:
        """From the beginning until both ends may use their key."""
        for role in ("bob", "alice"):
            self._perform(role, self.ends[role].begin())
        while self.coming and len(self.released) < len(_OTHER):
            arrival, _, role, data = heapq.heappop(self.coming)
            starts = max(arrival, self.free[role])
            began = time.perf_counter()
            asked = self.ends[role].heard(data)
            self.free[role] = Moment(starts.at + time.perf_counter() - began, starts.ways)
            self._perform(role, asked)
        return max(self.released.values())

    def _perform(self, role: Role, asked: list[effects.Effect]) -> None:
        now = self.free[role]
        for each in asked:
            if isinstance(each, effects.Send):
                arrival = Moment(now.at + self.delay_s, now.ways + 1)
                heapq.heappush(self.coming, (arrival, next(self.order), _OTHER[role], each.data))
            elif isinstance(each, effects.Release):
                self.released[role] = now


def run() -> list[Figure]:
    """Each delay with the variant of Cascade that it gets and with codes; what a session takes is named."""
    session = key_exchange_session.short()
    light = key_exchange_session.light(session)
    found = []
    for delay_s in DELAYS_S:
        variant = choice.chosen(_QBER, delay_s).name
        methods: list[Method] = [Cascade() if variant == "one-way" else Cascade(variant), OneWay()]
        found += [
            _figure(msgspec.structs.replace(session, delay_s=delay_s), light, method) for method in methods
        ]
    return found


def _figure(session: plan.Plan, light: key_exchange_session.Light, method: Method) -> Figure:
    ends = _ends(session, light, method)
    until = Course(session.delay_s, ends).run()
    estimate = ends["alice"].record.estimate
    if estimate is None:
        raise RuntimeError(f"the session gave no key: {ends['alice'].record.why}")
    sifted = int(ends["alice"]._tally.key.sum())  # noqa: SLF001 # a benchmark looks inside
    name = method.named(sifted, _QBER)
    mark = " (chosen)" if ByDelay(session.delay_s).named(sifted, _QBER) == name else ""
    return Figure(
        what=f"{sifted:,} sifted bits, {session.delay_s * 1e3:g} ms one way, {name}{mark}",
        ours=(
            f"{number(until.at)} s in {until.ways / 2:g} round trips, of which the processors "
            f"{number(until.at - until.ways * session.delay_s)} s; {estimate.leak_bits:,} bits told, "
            f"{estimate.bits:,} secret"
        ),
    )


def _ends(session: plan.Plan, light: key_exchange_session.Light, method: Method) -> dict[Role, Alice | Bob]:
    rng = np.random.default_rng(2)

    def kit(role: Role) -> end.Kit:
        return end.Kit(
            session=session,
            apparatus=lambda seed: light.device(seed, role),
            randomness=rng.bytes(end.randomness_bytes(session, role)),
            method=method,
        )

    return {"alice": Alice(kit("alice")), "bob": Bob(kit("bob"))}

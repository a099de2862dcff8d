"""Which way carries the device's messages: a decider that is told what happens, and when.

Of the ways that are there, the one whose messages cost least: round trip, price as so much round trip,
and restlessness. A lost way is left at once for the next best. A better one is taken again only when it
has answered for a while and is better by a margin, so that ways that come and go do not take turns.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from qfleet_agent.ways.backoff import Backoff
from qfleet_agent.ways.standing import Now, Random, Standing, month_of
from qfleet_agent.ways.way import Way
from qfleet_wire.payloads import Contacts

MARGIN = 0.75
"""A better way costs at most this share of the present one …"""
LEAST_GAIN_MS = 10.0
"""… and so much less."""
THRIFTY_PROBES = 6
"""A way that counts its bytes is probed so many times more rarely."""
LONGEST_WAIT_S = 60.0


class Rules(NamedTuple):
    """What the settings say about choosing."""

    base_s: float = 5.0
    most_s: float = 120.0
    """Waits after failures: they double from the first to the second."""
    price_ms: float = 1_000.0
    """Round trip, in milliseconds, that a price of 1 per MB is worth."""
    settle_s: float = 60.0
    """How long a better way must have answered before it is taken, and the least time between two changes."""
    probe_s: float = 10.0
    """Time between two probes of a better way."""

    @property
    def fresh_s(self) -> float:
        """An answer older than this says nothing any more."""
        return 2.0 * THRIFTY_PROBES * self.probe_s


class Chooser:
    """The ways of one device, in the order of the settings; at least one."""

    def __init__(self, ways: Sequence[Way], rules: Rules) -> None:
        self._rules = rules
        self.standings = {way.name: Standing(way, Backoff(rules.base_s, rules.most_s)) for way in ways}
        self._current: Standing | None = None
        self._since = -math.inf

    @property
    def current(self) -> Way | None:
        """The way whose connection stands."""
        return None if self._current is None else self._current.way

    # ── what happens ────────────────────────────────────────────────────────────────────────

    def connected(self, name: str, latency_ms: float | None, now: Now) -> None:
        """A connection over this way stands; it took so long to answer."""
        taken = self.standings[name]
        taken.backoff.connected(now.elapsed_s)
        taken.answered(latency_ms, now, self._rules.fresh_s)
        self._current, self._since = taken, now.elapsed_s

    def lost(self, name: str, now: Now, random: Random) -> float:
        """A connection was lost, or none came about; return after how long the way may be tried again."""
        gone = self.standings[name]
        if gone is self._current:
            gone.shaken(now)
            self._current = None
        return gone.failed(now, random)

    def left(self) -> None:
        """The connection was given up because another way is to be taken, or its window closes."""
        self._current = None

    def mute(self, name: str, now: Now, random: Random) -> None:
        """The gateway is there, but the controller does not answer over it.

        Where nothing else is left, the connection is worth keeping: the controller may come back.
        """
        gone = self.standings[name]
        if any(each is not gone and self._usable(each, now) for each in self.standings.values()):
            gone.failed(now, random)
            self._current = None if self._current is gone else self._current

    def answered(self, name: str, latency_ms: float, now: Now) -> None:
        """A message or a probe was answered after so long."""
        self.standings[name].answered(latency_ms, now, self._rules.fresh_s)

    def probed_in_vain(self, name: str) -> None:
        """A probe was not answered."""
        self.standings[name].answers_since = None

    def network_came_up(self, now: Now, random: Random) -> None:
        """Every way may be tried sooner."""
        for each in self.standings.values():
            each.hurry(now, random)

    def planned(self, plan: Contacts) -> None:
        """Know when ways are there whose windows are left to the control plane's plan."""
        for each in self.standings.values():
            each.plan = plan

    def moved(self, name: str, count: int, now: Now) -> None:
        """So many bytes went over a way."""
        self.standings[name].moved(count, now)

    # ── what follows ────────────────────────────────────────────────────────────────────────

    def choose(self, now: Now) -> Way | None:
        """The way to use now; None: there is none. It differs from ``current`` when that is to be left."""
        usable = [each for each in self.standings.values() if self._usable(each, now)]
        if not usable:
            return None
        current = self._current
        if current is not None and current in usable:
            usable = [each for each in usable if self._is_worth_it(each, now)] or [current]
        return min(usable, key=lambda each: self._rank(each, now)).way

    def probes(self, now: Now) -> list[Way]:
        """Ways that are better than the present one if they answer; each is asked now and then."""
        due: list[Way] = []
        for each in self.standings.values():
            if each.probe_s <= now.elapsed_s and self._is_candidate(each, now):
                rarer = THRIFTY_PROBES if each.way.manner.thrifty else 1
                each.probe_s = now.elapsed_s + rarer * self._rules.probe_s
                due.append(each.way)
        return due

    def wait_s(self, now: Now) -> float:
        """How long nothing can change by itself: until then nobody need look again."""
        moments = [now.elapsed_s + LONGEST_WAIT_S]
        for each in self.standings.values():
            if each.retry_s > now.elapsed_s:
                moments.append(each.retry_s)
            found = each.outlook(now.utc_ms)
            if found is not None:
                edges = [found.returns, found.present.closes if found.present else None]
                moments += [now.elapsed_s + (edge - now.utc_ms) / 1000 for edge in edges if edge is not None]
            if self._current is not None and self._is_candidate(each, now):
                moments.append(each.probe_s)
                fresh = each.answers(now, self._rules.fresh_s)
                since = each.answers_since if fresh and each.answers_since is not None else now.elapsed_s
                moments.append(max(self._since, since) + self._rules.settle_s)
        return max(0.0, min(moments) - now.elapsed_s)

    # ── what is kept over a restart ─────────────────────────────────────────────────────────

    def used(self, now: Now) -> dict[str, int]:
        """Bytes of this month, by way."""
        month = month_of(now.utc_ms)
        return {name: each.used_bytes for name, each in self.standings.items() if each.month == month}

    def restore(self, month: str, used: Mapping[str, int]) -> None:
        """Go on from what was used; of another month it is forgotten by itself."""
        for name, each in self.standings.items():
            each.month, each.used_bytes = month, used.get(name, 0)

    def _usable(self, each: Standing, now: Now) -> bool:
        return each.allowed(now) and (each is self._current or each.retry_s <= now.elapsed_s)

    def _rank(self, each: Standing, now: Now) -> tuple[bool, float]:
        return (each.spent(now), each.cost_ms(self._rules.price_ms, now))

    def _is_candidate(self, each: Standing, now: Now) -> bool:
        """Whether a way would be taken instead of the present one if it answered for long enough."""
        current = self._current
        if current is None or each is current or not self._usable(each, now):
            return False
        if current.spent(now) != each.spent(now):
            return current.spent(now)
        price_ms = self._rules.price_ms
        cost, present = each.cost_ms(price_ms, now), current.cost_ms(price_ms, now)
        return cost <= MARGIN * present and cost + LEAST_GAIN_MS <= present

    def _is_worth_it(self, each: Standing, now: Now) -> bool:
        """Whether a candidate has answered for long enough, and the present way carried for as long."""
        since, settled = each.answers_since, now.elapsed_s - self._rules.settle_s
        return (
            self._is_candidate(each, now)
            and each.answers(now, self._rules.fresh_s)
            and since is not None
            and max(since, self._since) <= settled
        )

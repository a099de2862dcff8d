"""What is known of one way: whether it can be tried, how fast it answers, how restless it is, what it cost.

Points in time in seconds of a clock that nobody sets; months by the device's clock.
"""

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from qfleet_agent.ways import contact
from qfleet_agent.ways.backoff import Backoff
from qfleet_agent.ways.way import Way
from qfleet_wire.payloads import Contacts

Random = Callable[[int], bytes]
SMOOTHING = 1 / 8
"""Weight of a new round trip in the smoothed one: RFC 6298, section 2.3 (alpha)."""
CALM_S = 300.0
"""In so long half of a way's restlessness is forgotten."""
LOSS_MS = 25.0
"""Round trip that a fresh loss counts as, beside the share that it adds to the way's own."""
_MB = 1_000_000


class Now(NamedTuple):
    """A moment: seconds of a clock that nobody sets, and the device's clock in milliseconds (UTC)."""

    elapsed_s: float
    utc_ms: int


@dataclass(slots=True)
class Standing:
    """One way, as it was found so far."""

    way: Way
    backoff: Backoff
    retry_s: float = float("-inf")
    """When it may be tried again."""
    latency_ms: float | None = None
    """Smoothed round trip; None: never measured."""
    answers_since: float | None = None
    """Since when it has answered without a failure; None: it has failed, or was never asked."""
    answered_s: float = float("-inf")
    """When it answered last."""
    probe_s: float = float("-inf")
    """When it may be probed."""
    month: str = ""
    used_bytes: int = 0
    """What went over it in this month."""
    plan: Contacts | None = None
    """The contact plan that the control plane has sent; it counts where the settings leave it to that."""
    _unrest: float = 0.0
    _unrest_s: float = field(default=0.0)

    def answered(self, latency_ms: float | None, now: Now, fresh_s: float) -> None:
        """Note that it has answered, and how fast; after a longer gap it begins to answer anew."""
        if not self.answers(now, fresh_s):
            self.answers_since = now.elapsed_s
        self.answered_s = now.elapsed_s
        if latency_ms is not None:
            before = self.latency_ms
            self.latency_ms = latency_ms if before is None else before + SMOOTHING * (latency_ms - before)

    def answers(self, now: Now, fresh_s: float) -> bool:
        """Whether it answered lately, and has not failed since."""
        return self.answers_since is not None and now.elapsed_s - self.answered_s <= fresh_s

    def failed(self, now: Now, random: Random) -> float:
        """Note that it cannot be used now; return after how many seconds it may be tried again."""
        self.answers_since = None
        wait = self.backoff.next_s(now.elapsed_s, random)
        self.retry_s = now.elapsed_s + wait
        return wait

    def shaken(self, now: Now) -> None:
        """Note that a connection over it was lost."""
        self._unrest, self._unrest_s = self.unrest(now) + 1.0, now.elapsed_s

    def unrest(self, now: Now) -> float:
        """Lost connections, the older the less: each counts half after ``CALM_S``."""
        return self._unrest * math.exp2(-max(0.0, now.elapsed_s - self._unrest_s) / CALM_S)

    def hurry(self, now: Now, random: Random) -> None:
        """Try it sooner: the network has come up."""
        if self.retry_s > now.elapsed_s:
            self.retry_s = min(self.retry_s, now.elapsed_s + self.backoff.hurried_s(now.elapsed_s, random))
        self.probe_s = float("-inf")

    def moved(self, count: int, now: Now) -> None:
        """Count bytes of this month."""
        month = month_of(now.utc_ms)
        if month != self.month:
            self.month, self.used_bytes = month, 0
        self.used_bytes += count

    def spent(self, now: Now) -> bool:
        """Whether the month's budget is used up."""
        most = self.way.month_mb
        return most is not None and self.month == month_of(now.utc_ms) and self.used_bytes >= most * _MB

    def open(self, now: Now) -> bool:
        """Whether a contact window is open, or none is needed."""
        seen = self.outlook(now.utc_ms)
        return seen is None or seen.present is not None

    def outlook(self, utc_ms: int) -> contact.Outlook | None:
        """When it is there; None: always."""
        return None if self.way.contact is None else contact.outlook(self.way.contact, utc_ms, self.plan)

    def is_planned(self, utc_ms: int) -> bool:
        """Whether that follows from the control plane's plan."""
        return self.way.contact is not None and contact.follows(self.way.contact, utc_ms, self.plan)

    def allowed(self, now: Now) -> bool:
        """Whether windows and budget let it be used."""
        return self.open(now) and not (self.way.beyond == "never" and self.spent(now))

    def cost_ms(self, price_ms: float, now: Now) -> float:
        """What a message costs: latency, and the price as so much latency; more where it is restless."""
        latency = self.way.manner.latency_ms if self.latency_ms is None else self.latency_ms
        unrest = self.unrest(now)
        return (latency + self.way.price_per_mb * price_ms) * (1.0 + unrest) + LOSS_MS * unrest


def month_of(utc_ms: int) -> str:
    """The calendar month of a moment, as ``2026-11``."""
    return f"{dt.datetime.fromtimestamp(utc_ms / 1000, dt.UTC):%Y-%m}"

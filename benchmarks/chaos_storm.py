"""The weather of the chaos run: processes are killed, or stopped where they stand, and come back.

A stopped broker cuts off everybody behind it, a stopped controller is the one that later believes
it still leads. Seeded: the same seed strikes in the same order, though not at the same instants.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, NamedTuple, Self

from tests.system.site import Site

PAUSE_S = (0.3, 1.5)
"""Least and most time between two blows."""
AWAY_S = (0.5, 6.0)
"""How long what was hit stays away …"""
LONG_AWAY_S = (15.0, 25.0)
"""… and one agent in four: longer than a job waits for it."""


class Blow(NamedTuple):
    """What hit whom, and when that is over."""

    name: str
    how: Literal["kill", "pause"]
    until: float


@dataclass(slots=True)
class Storm:
    """A context manager: it strikes inside the ``with``, and all is up again after it.

    ``farewell`` is called with the name of each controller that is about to be hit.
    """

    site: Site
    chance: random.Random
    blows: Counter[str] = field(default_factory=Counter)
    farewell: Callable[[str], None] = lambda _: None
    _away: list[Blow] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _failed: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._guard, name="storm")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        assert self._thread is not None
        self._thread.join()
        if error is None and self._failed is not None:
            raise self._failed

    def _guard(self) -> None:
        try:
            self._rage()
            self._restore(float("inf"))
        except BaseException as error:  # noqa: BLE001 - told to whoever leaves the ``with``
            self._failed = error

    def _rage(self) -> None:
        while not self._over.wait(self.chance.uniform(*PAUSE_S)):
            now = time.monotonic()
            self._restore(now)
            self._strike(now)

    def _strike(self, now: float) -> None:
        site, away = self.site, {blow.name for blow in self._away}
        brokers = sorted(set(site.brokers.values()))
        victims = [name for name in (*site.controllers, *brokers, *site.devices) if name not in away]
        name = self.chance.choice(victims)
        how: Literal["kill", "pause"] = "kill" if self.chance.random() < 0.5 else "pause"
        kind = "controller" if name in site.controllers else "broker" if name in brokers else "agent"
        long = kind == "agent" and self.chance.random() < 0.25
        until = now + self.chance.uniform(*(LONG_AWAY_S if long else AWAY_S))
        self.blows[f"{kind} {'killed' if how == 'kill' else 'stopped for a while'}"] += 1
        if kind == "controller":
            self.farewell(name)
        (site.processes.kill if how == "kill" else site.processes.pause)(name)
        self._away.append(Blow(name, how, until))

    def _restore(self, now: float) -> None:
        """Bring back whoever was away long enough."""
        for blow in [blow for blow in self._away if blow.until <= now]:
            if blow.how == "pause":
                self.site.processes.resume(blow.name)
            else:
                self._starter(blow.name)(blow.name)
            self._away.remove(blow)

    def _starter(self, name: str) -> Callable[[str], None]:
        if name in self.site.controllers:
            return self.site.launch_controller
        return self.site.start_agent if name in self.site.devices else self.site.start_broker

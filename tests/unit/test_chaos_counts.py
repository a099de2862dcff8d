"""What the chaos run counts survives the controllers that counted it."""

import random
from typing import Any

from benchmarks.chaos import Tally
from benchmarks.chaos_meter import Meter, Reading
from benchmarks.chaos_storm import Storm


class Controllers:
    """A site of two controllers whose counters end with them."""

    def __init__(self) -> None:
        self.controllers = ("c1", "c2")
        self.brokers: dict[str, str] = {}
        self.devices: tuple[str, ...] = ()
        self.counters = {"c1": 0.0, "c2": 0.0}
        self.lives = {"c1": 0, "c2": 0}
        self.killed: list[str] = []
        self.processes = self

    def kill(self, name: str) -> None:
        self.killed.append(name)
        self.counters[name] = 0.0
        self.lives[name] += 1

    def pause(self, name: str) -> None:
        """It counts on when it is resumed."""


class Told(Meter):
    """A meter that reads a counter without HTTP."""

    def read(self, controller: str) -> Reading | None:
        site: Any = self.site
        return Reading(site.lives[controller], site.counters[controller])


def test_nothing_that_a_killed_controller_counted_is_missing() -> None:
    site: Any = Controllers()
    meter = Told(site, "results")
    storm = Storm(site, random.Random(1), farewell=meter.ask)
    came = 0
    for blow in range(20):
        storm._away.clear()
        site.counters["c1"] += blow
        site.counters["c2"] += 1
        came += blow + 1
        storm._strike(0.0)
    meter.ask("c1")
    meter.ask("c2")
    assert set(site.killed) == {"c1", "c2"}
    assert meter.total == came


def test_duplicates_are_what_came_and_was_not_counted() -> None:
    assert Tally(arrived=120, counted=100).duplicates == 20

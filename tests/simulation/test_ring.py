"""Thousands of schedules of faults: nothing is lost, nothing counts twice, everything comes to its end.

``QFLEET_RING_SCHEDULES`` sets how many; ``make ring SCHEDULES=100000`` runs many more, with progress.
"""

import os
import re
import subprocess
import sys
from collections import Counter
from multiprocessing import resource_tracker

import pytest
from tests.simulation.ring import campaign, schedule
from tests.simulation.ring.weather import WEATHERS

SCHEDULES = int(os.environ.get("QFLEET_RING_SCHEDULES", "5000"))
PROCESSES = 2
OFTEN = {
    "lost": 4_000,
    "lost in the dark": 4_000,
    "delayed": 15_000,
    "duplicated": 4_000,
    "replayed": 3_000,
    "corrupted": 2_000,
    "heard again": 1_000,
    "door: rejected": 100,
    "session: forged": 1_000,
    "session: replayed": 2_000,
    "session: stale": 2_000,
    "cut": 1_000,
    "unplugged": 100,
    "way taken: cable": 400,
    "way taken: sky": 100,
    "window closed": 3,
    "contacts planned": 35,
    "contact plan taken": 40,
    "blackout": 400,
    "silent period": 400,
    "region dark": 100,
    "agent crash: before the journal": 50,
    "agent crash: after the journal": 50,
    "agent crash: between acts": 400,
    "agent crash: journal full": 10,
    "control crash: before the commit": 150,
    "control crash: after the commit": 80,
    "control crash: between sends": 80,
    "control crash: after a read": 1,
    "control crash: loading": 20,
    "agent clock back": 100,
    "agent clock forward": 50,
    "control clock back": 100,
    "control clock forward": 100,
    "journal refused": 400,
    "commit refused": 400,
    "read refused": 400,
    "database down": 40,
    "worker died": 300,
    "poison": 1_000,
    "cancelled": 200,
    "revoked": 30,
    "retired": 5,
    "quarantined": 100,
    "enrolled anew": 40,
    "disk replaced": 40,
    "handshake refused": 100,
    "takeover": 100,
    "commit fenced": 100,
    "stale epoch refused": 5,
    "leased anew": 3_000,
    "lease taken back": 5,
    "second result compared": 100,
    "assembled": 300,
    "job divided": 100,
    "task moved": 20,
    "order carried out": 150,
    "redundant job": 200,
    "lie": 100,
    "copies compared": 50,
}
"""What must have happened in 5,000 schedules, at the least: less than half of what does."""


@pytest.fixture(autouse=True, scope="module")
def tracker() -> None:
    """Start what the standard library keeps for the rest of the interpreter's life."""
    resource_tracker.ensure_running()


def test_schedules_hold() -> None:
    report = campaign.run(campaign.parts(SCHEDULES), PROCESSES)
    assert not report.failures, f"{len(report.failures)} of {report.schedules}\n\n{report.failures[0]}"
    assert report.schedules == SCHEDULES
    if SCHEDULES >= 5_000:
        rare = {
            kind: (report.faults[kind], least) for kind, least in OFTEN.items() if report.faults[kind] < least
        }
        assert not rare, f"too seldom (kind: found, at least): {rare}"


@pytest.mark.parametrize("weather", WEATHERS)
def test_a_seed_is_a_trace(weather: str) -> None:
    """The same in this process, and by the printed command in one whose hashes are salted otherwise."""
    first, again = schedule.run(11, weather), schedule.run(11, weather)
    assert first == again
    command = schedule.command(11, weather).split()[1:]
    replay = subprocess.run(
        [sys.executable, *command],
        env=os.environ | {"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    told = re.search(r"trace (\w+)", replay.stdout)
    assert told is not None
    assert told[1] == first.digest


def test_seeds_differ() -> None:
    digests = Counter(
        schedule.run(seed, weather).digest for weather in ("lossy", "regions") for seed in range(4)
    )
    assert set(digests.values()) == {1}

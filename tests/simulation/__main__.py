"""Run the simulation ring: one schedule again, or very many.

``python -m tests.simulation --weather=lossy --seed=7`` replays a schedule and prints its trace's hash;
``python -m tests.simulation --schedules=100000`` runs a campaign with progress. Exits with 1 on a
violation, whose message names the command that replays it.
"""

import argparse
import os
import sys
import time

from tests.simulation.ring import campaign, schedule
from tests.simulation.ring.trace import Violation
from tests.simulation.ring.weather import WEATHERS

_TELL_S = 5.0


def main() -> int:
    """Do as the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--weather", choices=sorted(WEATHERS), help="only this kind")
    parser.add_argument("--seed", type=int, help="run this one schedule again; with --weather")
    parser.add_argument("--schedules", type=int, default=5_000, help="how many in all")
    parser.add_argument("--first", type=int, default=0, help="the first seed of each weather")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    if asked.seed is not None:
        if asked.weather is None:
            parser.error("--seed needs --weather")
        return replay(asked.seed, asked.weather)
    weathers = [asked.weather] if asked.weather else list(WEATHERS)
    return run(campaign.parts(asked.schedules, asked.first, weathers), asked.processes, asked.schedules)


def replay(seed: int, weather: str) -> int:
    """Run one schedule as it was before."""
    try:
        outcome = schedule.run(seed, weather)
    except Violation as error:
        _say(str(error))
        return 1
    _say(f"{outcome.steps} steps, nothing violated, trace {outcome.digest}")
    for kind, count in sorted(outcome.faults.items()):
        _say(f"  {count:>6}  {kind}")
    return 0


def run(wanted: list[campaign.Part], processes: int, schedules: int) -> int:
    """Run a campaign and say how it goes."""
    told = time.monotonic()

    def tell(report: campaign.Report) -> None:
        nonlocal told
        if time.monotonic() - told >= _TELL_S:
            told = time.monotonic()
            _say(
                f"{report.schedules:>9,} of {schedules:,}  {report.rate:6.1f}/s  "
                f"{sum(report.faults.values()):,} faults  {len(report.failures)} failed"
            )

    report = campaign.run(wanted, processes, tell)
    _say("\n".join(report.lines()))
    for failure in report.failures[:5]:
        _say(f"\n{failure}")
    return 1 if report.failures else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

"""The application packs on their bundled data: quantum against the best classical method, as it falls.

Every row is one comparison of a pack's report, taken on a fleet of two agents. Value and time stand beside
each other; the last column says who did better in the value. No goal is set: the classical method may win.
"""

import importlib
import sys
import tempfile
from pathlib import Path

from benchmarks.figures import Figure
from tests.system.fleet import LocalFleet

from qfleet_applications.command import PACKS
from qfleet_applications.frame.desk import Desk
from qfleet_applications.frame.durations import duration
from qfleet_applications.frame.report import Comparison, Measured


def run() -> list[Figure]:
    """Run all packs, one after the other."""
    found: list[Figure] = []
    with (
        tempfile.TemporaryDirectory(prefix="qfleet-") as folder,
        LocalFleet(Path(folder), agents=2) as site,
        site.connect() as fleet,
    ):
        site.wait_measured()
        for pack in PACKS:
            sys.stderr.write(f"{pack} … ")
            sys.stderr.flush()
            module = importlib.import_module(f"qfleet_applications.{pack}.benchmark")
            found += [_figure(pack, one) for one in module.rows(Desk(fleet))]
    return found


def _figure(pack: str, one: Comparison) -> Figure:
    ratio = one.fleet.seconds / one.classical.seconds if one.classical.seconds else float("inf")
    return Figure(
        what=f"{pack}: {one.problem}, {one.quantity} ({one.goal} is better)",
        ours=_spelled(one.fleet, one.unit),
        peer=_spelled(one.classical, one.unit),
        ratio=f"{ratio:.3g} × the time",
        goal=f"better: {'neither' if one.better is None else one.better.kind}",
        met=None,
    )


def _spelled(found: Measured, unit: str) -> str:
    return f"{found.method}: {found.spelled(unit)} in {duration(found.seconds)}"

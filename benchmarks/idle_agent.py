"""An idle agent: resident memory and processor time of the daemon over a minute, in an open session.

The daemon alone counts: workers start with the first task, and engines load in workers only. The
figure is taken after the agent was started again, when its engines have been measured before.
Both depend on compiled bytecode, which pip writes when it installs; so it is written here first.
"""

import compileall
import importlib.util
import tempfile
import time
from pathlib import Path

import psutil
from benchmarks.figures import Figure, number, spread
from tests.system import fleet as fleets

SETTLE_S = 20.0
"""Until the agent's engines are measured, and until a started agent has nothing left to do."""
MEASURE_S = 60.0
SAMPLES = 6
GOAL_MB = 45.0
GOAL_PERCENT = 0.5
PACKAGES = ("aiomqtt", "cryptography", "msgspec", "nacl", "paho", "psutil", "qfleet_agent", "qfleet_wire")


def run() -> list[Figure]:
    """Measure one agent."""
    _compile()
    with (
        tempfile.TemporaryDirectory(prefix="qfleet-") as folder,
        fleets.LocalFleet(Path(folder), agents=1) as site,
    ):
        name = site.agents[0]
        time.sleep(SETTLE_S)
        site.kill(name)
        site.start_agent(name)
        time.sleep(SETTLE_S)
        return _figures(site.process(name))


def _figures(daemon: psutil.Process) -> list[Figure]:
    resident, shares = [], []
    for _ in range(SAMPLES):
        before, begin = _busy(daemon), time.perf_counter()
        time.sleep(MEASURE_S / SAMPLES)
        shares.append(100 * (_busy(daemon) - before) / (time.perf_counter() - begin))
        resident.append(daemon.memory_info().rss / 2**20)
    share = sum(shares) / SAMPLES
    return [
        Figure(
            what="idle agent, resident memory",
            ours=spread(resident).text("MiB"),
            goal=f"≤ {GOAL_MB:g} MB",
            met=max(resident) <= GOAL_MB,
        ),
        Figure(
            what=f"idle agent, processor time over {MEASURE_S:.0f} s",
            ours=f"{number(share)} % of a core ({number(min(shares))}–{number(max(shares))})",
            goal=f"≤ {GOAL_PERCENT} %",
            met=share <= GOAL_PERCENT,
        ),
    ]


def _busy(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _compile() -> None:
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        assert spec is not None
        for folder in spec.submodule_search_locations or ():
            compileall.compile_dir(folder, quiet=2)

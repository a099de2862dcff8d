"""Has the engines measured once, in a worker, for the planner's cost model.

What is timed is each engine's own business (``engines.timing``). All of it together takes ``LIMIT_S`` at
most, beside the time that heavy engines take to load.
"""

import logging
import time
from collections.abc import Sequence
from typing import Protocol

from qfleet_agent.engines.timing import Timed, Timing
from qfleet_agent.workers.errors import WorkFailed
from qfleet_agent.workers.events import Finished
from qfleet_wire import codec, payloads

LIMIT_S = 4.5
"""Longest time for all engines together."""
_FIRST_S = 2.5
"""Longest time for the first one: that of programs, whose states grow large."""
_MEMORY_BYTES = 256 * 1024 * 1024
"""What a sample may use; a device whose tasks get less is not measured with as large states."""
_PATIENCE_S = 60.0

log = logging.getLogger(__name__)


class Workers(Protocol):
    """Where works are run: the local pool, or a cluster."""

    async def run(self, work: bytes, *, memory_bytes: int, time_limit_s: float) -> Finished:
        """Run one work; raises ``WorkFailed``."""


async def calibrate(
    workers: Workers, engines: Sequence[payloads.Engine], *, memory_bytes: int = _MEMORY_BYTES
) -> tuple[payloads.Calibration, ...]:
    """Measure the engines of the workers, those for programs first.

    An engine that offers no samples or fails gets no calibration: the planner then uses its defaults.
    """
    left_s = LIMIT_S
    found: list[payloads.Calibration] = []
    ordered = sorted(engines, key=_rank)
    for position, engine in enumerate(ordered):
        if left_s <= 0.0:
            log.info("No time is left to measure %s.", engine.name, extra={"action": "calibration-cut"})
            continue
        share_s = _FIRST_S if position == 0 else left_s / (len(ordered) - position)
        begun = time.monotonic()
        asked = Timing(engine.name, engine.kinds, 1e3 * share_s)
        timed = await _timed(workers, asked, min(memory_bytes, _MEMORY_BYTES))
        loading_s = sum(1e-3 * each.load_ms for each in timed[:1])
        left_s -= max(0.0, time.monotonic() - begun - loading_s)
        found += timed
    return tuple(found)


def _rank(engine: payloads.Engine) -> tuple[bool, bool]:
    return ("circuit.sample" not in engine.kinds, "probe.echo" in engine.kinds)


async def _timed(workers: Workers, asked: Timing, memory_bytes: int) -> tuple[payloads.Calibration, ...]:
    work = codec.encode(asked)
    try:
        done = await workers.run(work, memory_bytes=memory_bytes, time_limit_s=_PATIENCE_S)
    except WorkFailed as error:
        log.warning(
            "%s could not be measured: %s", asked.engine, error, extra={"action": "calibration-failed"}
        )
        return ()
    return codec.decode(done.body, Timed).calibrations

"""Measures an engine's speed once, in a worker, for the planner's cost model."""

from qfleet_agent.workers.pool import Pool
from qfleet_wire import payloads


async def calibrate(pool: Pool) -> tuple[payloads.Calibration, ...]:
    """Time small fixed works in a worker (about a second); one calibration per circuit engine.

    An engine that is missing or fails gets none: the planner then uses its defaults.
    """
    raise NotImplementedError

"""How fast the engines are here: measured once per version, kept in the journal."""

import logging
import sqlite3
from typing import NamedTuple

import msgspec

from qfleet_agent.daemon.executor import Executor
from qfleet_agent.errors import AgentError
from qfleet_agent.journal.journal import Journal
from qfleet_agent.journal.layout import Name
from qfleet_wire import codec
from qfleet_wire.errors import RemoteError
from qfleet_wire.payloads import Calibration, Engine

log = logging.getLogger(__name__)

QUIET_S = 5.0
"""The engines are measured after so long without a task: the first tasks shall not wait for it."""
PATIENCE_S = 60.0
"""They are measured beside tasks when there was no such pause for so long."""
MODEL = 1
"""Number of the cost model that is measured; what was measured for another is measured again."""


class Measured(msgspec.Struct, frozen=True):
    """Calibrations and the engines (name, version) and device they hold for."""

    engines: tuple[tuple[str, str], ...]
    machine: str
    workers: int
    calibrations: tuple[Calibration, ...]
    model: int = 0


class Here(NamedTuple):
    """What a measurement holds for."""

    engines: tuple[Engine, ...]
    machine: str
    workers: int


class Pause:
    """The wait for a pause between tasks, by seconds of any clock that only rises."""

    def __init__(self, now: float) -> None:
        self._begun = self._quiet_since = now

    def is_over(self, now: float, *, busy: bool) -> bool:
        """Whether the engines may be measured now; to be asked often, for it sees tasks only when asked."""
        if busy:
            self._quiet_since = now
        return now - self._quiet_since >= QUIET_S or now - self._begun >= PATIENCE_S


async def known(journal: Journal, here: Here) -> tuple[Calibration, ...] | None:
    """Return what was measured before; None when it was for other engines, another device or model."""
    stored = await journal.get(Name.CALIBRATION)
    if stored is None:
        return None
    try:
        measured = codec.decode(stored, Measured)
    except RemoteError:
        return None
    wanted = (_names(here.engines), here.machine, here.workers, MODEL)
    fits = (measured.engines, measured.machine, measured.workers, measured.model) == wanted
    return measured.calibrations if fits else None


async def measure(
    journal: Journal, executor: Executor, here: Here, *, memory_bytes: int
) -> tuple[Calibration, ...] | None:
    """Measure in a worker, with what a task may use there, and keep it; None when the workers could not."""
    try:
        calibrations = await executor.calibrate(here.engines, memory_bytes)
    except AgentError as error:
        log.warning("The engines could not be measured: %s", error, extra={"action": "calibration-failed"})
        return None
    if not calibrations and any("circuit.sample" in engine.kinds for engine in here.engines):
        return None  # they failed, which may pass: measured again after the next start
    measured = Measured(_names(here.engines), here.machine, here.workers, calibrations, MODEL)
    try:
        await journal.put({Name.CALIBRATION: codec.encode(measured)})
    except sqlite3.OperationalError as error:  # they are measured again after the next start
        log.warning("The measurement cannot be kept: %s", error, extra={"action": "calibration-unsaved"})
    return calibrations


def _names(engines: tuple[Engine, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((engine.name, engine.version) for engine in engines)

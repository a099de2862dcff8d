"""How fast the engines are here: measured once per version, kept in the journal."""

import logging
import sqlite3

import msgspec

from qfleet_agent.daemon.executor import Executor
from qfleet_agent.errors import AgentError
from qfleet_agent.journal.journal import Journal
from qfleet_agent.journal.layout import Name
from qfleet_wire import codec
from qfleet_wire.errors import RemoteError
from qfleet_wire.payloads import Calibration, Engine

log = logging.getLogger(__name__)


class Measured(msgspec.Struct, frozen=True):
    """Calibrations and the engines (name, version) and device they hold for."""

    engines: tuple[tuple[str, str], ...]
    machine: str
    workers: int
    calibrations: tuple[Calibration, ...]


async def known(
    journal: Journal, engines: tuple[Engine, ...], machine: str, workers: int
) -> tuple[Calibration, ...] | None:
    """Return what was measured before; None when it was for other engines or another device."""
    stored = await journal.get(Name.CALIBRATION)
    if stored is None:
        return None
    try:
        measured = codec.decode(stored, Measured)
    except RemoteError:
        return None
    fits = (measured.engines, measured.machine, measured.workers) == (_names(engines), machine, workers)
    return measured.calibrations if fits else None


async def measure(
    journal: Journal, executor: Executor, engines: tuple[Engine, ...], machine: str, workers: int
) -> tuple[Calibration, ...] | None:
    """Measure in a worker, and keep what came of it; None when the workers could not."""
    try:
        calibrations = await executor.calibrate(engines)
    except AgentError as error:
        log.warning("The engines could not be measured: %s", error, extra={"action": "calibration-failed"})
        return None
    if not calibrations and any("circuit.sample" in engine.kinds for engine in engines):
        return None  # they failed, which may pass: measured again after the next start
    measured = Measured(_names(engines), machine, workers, calibrations)
    try:
        await journal.put({Name.CALIBRATION: codec.encode(measured)})
    except sqlite3.OperationalError as error:  # they are measured again after the next start
        log.warning("The measurement cannot be kept: %s", error, extra={"action": "calibration-unsaved"})
    return calibrations


def _names(engines: tuple[Engine, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((engine.name, engine.version) for engine in engines)

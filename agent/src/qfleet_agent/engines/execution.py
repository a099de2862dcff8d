"""Runs any work: the one door into the engines, used by the worker's child process only."""

import importlib
from collections.abc import Callable
from typing import Protocol, cast

from qfleet_agent.engines import registry
from qfleet_agent.engines.errors import EngineMissing
from qfleet_wire import payloads, workload


class Runner(Protocol):
    """What a module of this package offers that the registry names as an engine's runner."""

    @staticmethod
    def run(work: workload.Work, *, budget: int, report: Callable[[float], None]) -> workload.WorkResult:
        """Run a work of the engine's kinds within ``budget`` bytes; ``report`` as in ``execute``."""

    @staticmethod
    def warm() -> None:
        """Run something small, so that the first task does not wait for imports and threads."""


def capability_of(work: workload.Work) -> str:
    """Name what an engine must be able to do for a work."""
    method = work.method if isinstance(work, workload.CircuitSample | workload.CircuitExpect) else ""
    return workload.capability(str(work.__struct_config__.tag), method)


def engine_of(work: workload.Work) -> payloads.Engine:
    """Return the engine that runs this kind of work.

    Raises:
        EngineMissing: it is not installed; the message says how to install it.
    """
    kind = capability_of(work)
    engine = registry.engine_for(kind)
    if engine is None:
        raise EngineMissing(registry.missing(kind))
    return engine


def execute(work: workload.Work, *, budget: int, report: Callable[[float], None]) -> workload.WorkResult:
    """Run a work within ``budget`` bytes; ``report`` is told the share that is done, 0 to 1.

    Raises:
        EngineMissing: nothing here runs it.
        MemoryShort: it does not fit.
        WorkInvalid, ProgramFailed: it has no meaning.
    """
    engine_of(work)
    return _runner(registry.runner_of(capability_of(work))).run(work, budget=budget, report=report)


def preload() -> None:
    """Import the light engines and start their threads, so that the first task waits for neither.

    Threads bring their stacks with them; what they need is thus there before memory is limited.
    """
    for name in registry.warm():
        _runner(name).warm()


def _runner(name: str) -> Runner:
    # Imported when it is needed: an engine may take seconds and a hundred megabytes.
    return cast("Runner", importlib.import_module(f"qfleet_agent.engines.{name}"))

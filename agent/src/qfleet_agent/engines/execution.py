"""Runs any work: the one door into the engines, used by the worker's child process only."""

import importlib
import time
from collections.abc import Callable, Iterable
from typing import Protocol, cast

import msgspec

from qfleet_agent.engines import registry, timing
from qfleet_agent.engines.errors import EngineMissing, WorkInvalid
from qfleet_wire import payloads, workload


class Runner(Protocol):
    """What a module of this package offers that the registry names as an engine's runner.

    A module may also offer ``samples() -> Iterable[timing.Sample]``: what is timed of its engine. One without
    is planned by what a slow small board would take.
    """

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
    _check_noise(work)
    engine_of(work)
    return _runner(registry.runner_of(capability_of(work))).run(work, budget=budget, report=report)


def _check_noise(work: workload.Work) -> None:
    """Refuse noise under a method that knows none: its answer would be that of another program."""
    if not isinstance(work, workload.CircuitSample | workload.CircuitExpect) or work.noise is None:
        return
    if work.method not in workload.NOISY:
        raise WorkInvalid(f"the method {work.method!r} is for programs without noise")


def measure(asked: timing.Timing, *, memory_bytes: int) -> timing.Timed:
    """Measure an engine with the samples of the modules that run its kinds.

    What the first module says holds for all kinds that the others say nothing of.

    Raises:
        EngineMissing: it is not installed.
    """
    modules: dict[str, tuple[str, ...]] = {}
    for kind in asked.kinds:
        if registry.engine_for(kind) is None:
            raise EngineMissing(registry.missing(kind))
        name = registry.runner_of(kind)
        modules[name] = (*modules.get(name, ()), kind)
    begun = time.perf_counter()
    runners = {name: _runner(name) for name in modules}
    for runner in runners.values():
        runner.warm()
    # Whichever module a worker needs first, it is then that the engine's libraries are loaded.
    load_ms = (time.perf_counter() - begun) * 1e3
    offering = [name for name, runner in runners.items() if hasattr(runner, "samples")]
    budget = timing.Budget(1e-3 * asked.budget_ms / max(1, len(offering)), memory_bytes)
    found: list[payloads.Calibration] = []
    for name in offering:
        timed = _timed(runners[name], asked.engine, budget)
        found += timed if not found else [timing.only_for(each, modules[name]) for each in timed]
    return timing.Timed(tuple(msgspec.structs.replace(each, load_ms=load_ms) for each in found))


def _timed(runner: Runner, engine: str, budget: timing.Budget) -> tuple[payloads.Calibration, ...]:
    def run(work: workload.Work, memory_bytes: int) -> object:
        return runner.run(work, budget=memory_bytes, report=_nobody)

    offered: Callable[[], Iterable[timing.Sample]] = getattr(runner, "samples", tuple)
    return timing.measure(engine, offered(), run, budget=budget)


def _nobody(share: float) -> None:
    """Nobody is told how far a sample is."""
    del share


def preload() -> None:
    """Import the light engines and start their threads, so that the first task waits for neither.

    Threads bring their stacks with them; what they need is thus there before memory is limited.
    """
    for name in registry.warm():
        _runner(name).warm()


def _runner(name: str) -> Runner:
    # Imported when it is needed: an engine may take seconds and a hundred megabytes.
    return cast("Runner", importlib.import_module(f"qfleet_agent.engines.{name}"))

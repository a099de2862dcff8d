"""Which engines this device has, found without importing any of them.

The daemon asks here; it must stay small, so nothing in this module may import an engine or numpy.
"""

import functools
import importlib.util
import sys
from pathlib import Path
from typing import Literal, NamedTuple

from qfleet_wire import payloads

EngineName = Literal["echo", "qulacs"]


class _Candidate(NamedTuple):
    name: EngineName
    module: str
    distribution: str
    kinds: tuple[str, ...]
    extra: str | None


_CANDIDATES = (
    _Candidate("echo", "qfleet_agent", "qfleet-agent", ("probe.echo",), None),
    _Candidate("qulacs", "qulacs_core", "qulacs", ("circuit.sample", "circuit.expect"), "circuits"),
)


@functools.cache
def available() -> tuple[payloads.Engine, ...]:
    """Engines that are installed, with their versions and the workload kinds that they run.

    Looked up once: what is installed later counts from the next start.
    """
    return tuple(
        payloads.Engine(name=candidate.name, version=version, kinds=candidate.kinds)
        for candidate in _CANDIDATES
        if (version := _version(candidate)) is not None
    )


def kinds() -> frozenset[str]:
    """Workload kinds that this device can run."""
    return frozenset(kind for engine in available() for kind in engine.kinds)


def engine_for(kind: str) -> payloads.Engine | None:
    """Return the installed engine that runs ``kind``, or None."""
    return next((engine for engine in available() if kind in engine.kinds), None)


def missing(kind: str) -> str:
    """Say why ``kind`` does not run here and what to install."""
    for candidate in _CANDIDATES:
        if kind in candidate.kinds:
            return (
                f"workload {kind!r} needs the engine {candidate.name!r}, which is not installed: "
                f"pip install 'qfleet-agent[{candidate.extra}]'"
            )
    return f"workload {kind!r} is unknown to this agent: update qfleet-agent"


def _version(candidate: _Candidate) -> str | None:
    if importlib.util.find_spec(candidate.module) is None:
        return None
    # importlib.metadata would cost the daemon most of a megabyte of memory.
    stem = candidate.distribution.replace("-", "_")
    for folder in sys.path:
        for found in Path(folder).glob(f"{stem}-*.dist-info"):
            return found.name.removeprefix(f"{stem}-").removesuffix(".dist-info")
    return None

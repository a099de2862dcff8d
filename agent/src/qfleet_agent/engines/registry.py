"""Which engines this device has, found without importing any of them.

The daemon asks here; it must stay small, so nothing in this module may import an engine or numpy.
A runner is one module that keeps to ``execution.Runner``, and one line in ``_CANDIDATES``. Several may
belong to one engine, each for kinds of its own: people and planning see one engine with all of them.
"""

import functools
import importlib.util
import sys
from pathlib import Path
from typing import NamedTuple

from qfleet_wire import payloads


class Candidate(NamedTuple):
    """What an engine of this ``name`` runs if it is installed.

    ``module`` and ``distribution`` are looked for, ``runner`` is the module of ours that runs it,
    ``extra`` what to install. One that is ``warm`` is imported before the first task; the others cost
    too much for that. Candidates of one name stand next to each other.
    """

    name: str
    runner: str
    module: str
    distribution: str
    kinds: tuple[str, ...]
    extra: str | None
    warm: bool = False


_CANDIDATES = (
    Candidate("echo", "echo", "qfleet_agent", "qfleet-agent", ("probe.echo",), None),
    Candidate(
        "qulacs",
        "programs",
        "qulacs_core",
        "qulacs",
        ("circuit.sample", "circuit.expect"),
        "circuits",
        warm=True,
    ),
    Candidate(
        "qulacs",
        "noise_trajectories",
        "qulacs_core",
        "qulacs",
        ("circuit.sample/trajectories", "circuit.expect/trajectories"),
        "circuits",
    ),
    Candidate("qulacs", "fidelity", "qulacs_core", "qulacs", ("kernel.matrix",), "circuits"),
    Candidate("qulacs", "variational", "scipy", "qulacs", ("variational.minimise",), "circuits"),
    Candidate("qulacs", "amplitude", "scipy", "qulacs", ("amplitude.estimate",), "circuits"),
    Candidate("numpy", "integration", "numpy", "numpy", ("iit.phi",), "circuits"),
    Candidate("qulacs", "parts", "qulacs_core", "qulacs", ("circuit.part",), "circuits", warm=True),
    Candidate("dwave-samplers", "annealing", "dimod", "dwave-samplers", ("anneal.sample",), "annealing"),
    Candidate("qutip", "dynamics.runner", "qutip", "qutip", ("dynamics.solve",), "dynamics"),
    Candidate(
        "qutip",
        "noise_exact",
        "qutip",
        "qutip",
        ("circuit.sample/density", "circuit.expect/density"),
        "dynamics",
    ),
    Candidate(
        "stim",
        "stabilizer",
        "stim",
        "stim",
        ("circuit.sample/stabilizer", "circuit.expect/stabilizer"),
        "clifford",
    ),
)


@functools.cache
def available() -> tuple[payloads.Engine, ...]:
    """Engines that are installed, with their versions and the workload kinds that they run.

    Looked up once: what is installed later counts from the next start.
    """
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for candidate, version in _installed():
        key = (candidate.name, version)
        found[key] = found.get(key, ()) + candidate.kinds
    return tuple(payloads.Engine(name, version, kinds) for (name, version), kinds in found.items())


def kinds() -> frozenset[str]:
    """Workload kinds that this device can run."""
    return frozenset(kind for engine in available() for kind in engine.kinds)


def engine_for(kind: str) -> payloads.Engine | None:
    """Return the installed engine that runs ``kind``, or None."""
    return next((engine for engine in available() if kind in engine.kinds), None)


def runner_of(kind: str) -> str:
    """Name the module of ours that runs ``kind`` with the engine that ``engine_for`` returns."""
    return next(candidate.runner for candidate, _ in _installed() if kind in candidate.kinds)


def warm() -> tuple[str, ...]:
    """Name the modules of ours whose engines are installed and wait for no task to be imported."""
    return tuple(candidate.runner for candidate, _ in _installed() if candidate.warm)


def missing(kind: str) -> str:
    """Say why ``kind`` does not run here and what to install."""
    for candidate in _CANDIDATES:
        if kind in candidate.kinds:
            return (
                f"workload {kind!r} needs the engine {candidate.name!r}, which is not installed: "
                f"pip install 'qfleet-agent[{candidate.extra}]'"
            )
    return f"workload {kind!r} is unknown to this agent: update qfleet-agent"


@functools.cache
def _installed() -> tuple[tuple[Candidate, str], ...]:
    return tuple(
        (candidate, version) for candidate in _CANDIDATES if (version := _version(candidate)) is not None
    )


def _version(candidate: Candidate) -> str | None:
    if importlib.util.find_spec(candidate.module) is None:
        return None
    # importlib.metadata would cost the daemon most of a megabyte of memory.
    stem = candidate.distribution.replace("-", "_")
    for folder in sys.path:
        for found in Path(folder).glob(f"{stem}-*.dist-info"):
            return found.name.removeprefix(f"{stem}-").removesuffix(".dist-info")
    return None

"""What a worker process may do and see. ``environment`` is the agent's part, the rest the worker's own.

A worker gets no secret: its environment is made anew, it inherits no file but its socket and
stderr, and it dies with the agent, whatever way the agent dies.
"""

import os
import resource
import signal
import sys
from pathlib import Path

OOM_SCORE = 800
"""Added to a worker's badness, so that the kernel ends it before the agent."""
NICENESS = 5
"""Workers yield to the agent, whose heartbeat must not wait for them."""
SPINS = 2_000
"""Turns, some microseconds, that a thread waits awake for the others after each pass over a state.

Left to itself libgomp lets it turn for milliseconds: of two threads on a core that something else needs
too, one then burns the time in which the other would have finished.
"""
SLACK_BYTES = 32 * 1024 * 1024
"""Allowed over a task's memory: allocator and interpreter."""

_PR_SET_PDEATHSIG = 1
_OPEN_FILES = 64
BRIDGE_OPEN_FILES = 4096
"""Of the bridge to a cluster, which may speak to each of its workers."""
_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ")


def environment(threads: int) -> dict[str, str]:
    """Return a worker's whole environment."""
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    number = str(threads)
    return kept | {
        "OMP_NUM_THREADS": number,
        "QULACS_NUM_THREADS": number,
        "OPENBLAS_NUM_THREADS": number,
        "GOMP_SPINCOUNT": str(SPINS),
        "PYTHONUNBUFFERED": "1",
    }


def die_with(parent: int) -> None:
    """Ask the kernel to kill this process when its parent ends; end at once if it already has."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - the agent imports this module too and needs no ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the agent ended before its worker began")


def settle(*, open_files: int = _OPEN_FILES) -> None:
    """Lower this process's rank and close what it does not need: no core dumps, few files."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = open_files if hard == resource.RLIM_INFINITY else min(open_files, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.nice(NICENESS)
    score = Path("/proc/self/oom_score_adj")
    if score.exists():
        score.write_text(str(max(OOM_SCORE, int(score.read_text()))))


def allow(memory_bytes: int) -> None:
    """Bound what this process may allocate beyond what it has now (soft limit of RLIMIT_DATA)."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = data_bytes() + memory_bytes + SLACK_BYTES
    resource.setrlimit(
        resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
    )


def release() -> None:
    """Take the bound of ``allow`` back."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def cap(memory_bytes: int) -> None:
    """Bound what this process may allocate beyond what it has now, for good (hard limit of RLIMIT_DATA)."""
    wanted = data_bytes() + memory_bytes + SLACK_BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, wanted))


def data_bytes() -> int:
    """Private memory of this process, as RLIMIT_DATA counts it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0


def resident_bytes(process: int) -> int:
    """Resident memory of a process, 0 if it cannot be read."""
    try:
        pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * resource.getpagesize()

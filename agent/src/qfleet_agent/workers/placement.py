"""Pure rules of the pool: which worker may have which task, and what a death means."""

from collections.abc import Sequence

from qfleet_agent.workers import events
from qfleet_agent.workers.worker import Assignment, Worker

LINE = 64
"""Light tasks that one worker may have in its line."""
QUICK_S = 0.02
"""Where tasks end faster than this, the next one is sent before the last has ended …"""
QUICK_ALONE_S = 0.25
"""… and faster than this where there is one worker only: nobody else could have begun it, and what is more
urgent waits no longer than this."""

_LIGHT_MARK = b"\xa4type\xaaprobe.echo"


def is_light(work: bytes) -> bool:
    """Whether encoded work answers at once: it is an echo. Its tag stands first in the encoding."""
    return work.find(_LIGHT_MARK, 0, 24) == 1


def takes(worker: Worker, given: Sequence[Assignment], one: Assignment, *, alone: bool = False) -> bool:
    """Whether a worker may have ``one`` now: light work lines up, other work waits for its turn.

    Of work that takes time only one more is sent ahead, and only where tasks have been quick, so that
    nothing waits behind a long task while another worker is idle; ``alone``: there is no other.
    """
    waiting = len(worker.line) + len(given)
    if waiting == 0:
        return True
    if one.light:  # a line is all light, or has at most one task that takes time, at an end
        first, last = worker.line[0] if worker.line else given[0], given[-1] if given else worker.line[-1]
        return waiting < LINE and first.light and last.light
    quick_s = QUICK_ALONE_S if alone else QUICK_S
    return waiting == 1 and worker.tasks_done > 0 and worker.recent_s < quick_s


def obituary(worker: Worker, head: Assignment) -> events.Failed:
    """Say why the head of a dead worker's line failed."""
    if worker.verdict == "time":
        return events.Failed(head.key, "time", f"stopped after its time limit of {head.time_limit_s:g} s")
    if worker.verdict is None and worker.overran():
        return events.Failed(
            head.key, "memory", f"over its memory limit of {head.memory_bytes >> 20} MiB: {worker.death()}"
        )
    return events.Failed(head.key, "crash", worker.verdict or worker.death())

"""A control group for each worker, where systemd has delegated a subtree to the agent (cgroup v2).

A worker that outgrows its group is killed by the kernel inside the group; the agent lives in another
one and is not touched. Without delegation nothing here acts, and RLIMIT_DATA alone bounds workers.
"""

import logging
import os
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")
_AGENT = "agent"

log = logging.getLogger(__name__)


def find() -> Path | None:
    """Return the group that was delegated to this process, or None.

    systemd marks a unit's group with an extended attribute when the unit says ``Delegate=memory``;
    without the mark the group is somebody else's, even if it can be written.
    """
    try:
        line = next(line for line in _OWN.read_text().splitlines() if line.startswith("0::"))
        group = ROOT / line[4:]
        if group.name == _AGENT:
            group = group.parent
        marks = os.listxattr(group)
    except (OSError, StopIteration):
        return None
    delegated = {"user.delegate", "trusted.delegate"} & set(marks)
    return group if delegated and os.access(group / "cgroup.procs", os.W_OK) else None


def prepare(group: Path) -> bool:
    """Make room for workers: the agent's processes move to a leaf, and memory is controlled below.

    A group with processes of its own cannot control its children ("no internal processes").
    """
    try:
        leaf = group / _AGENT
        leaf.mkdir(exist_ok=True)
        for process in (group / "cgroup.procs").read_text().split():
            (leaf / "cgroup.procs").write_text(process)
        (group / "cgroup.subtree_control").write_text("+memory")
    except OSError as error:
        log.warning("Workers get no control groups: %s", error, extra={"action": "cgroup-unusable"})
        return False
    return True


class Group:
    """One worker's group, with a limit for all that it does."""

    def __init__(self, parent: Path, name: str, memory_bytes: int) -> None:
        self._path = parent / name
        self._path.mkdir(exist_ok=True)
        (self._path / "memory.max").write_text(str(memory_bytes))
        (self._path / "memory.oom.group").write_text("1")
        self._kills = self._killed()

    def add(self, process: int) -> None:
        """Move a process in."""
        (self._path / "cgroup.procs").write_text(str(process))

    def overran(self) -> bool:
        """Whether the kernel killed something here since the group was made."""
        return self._killed() > self._kills

    def remove(self) -> None:
        """Remove the group once its processes have ended."""
        try:
            self._path.rmdir()
        except OSError as error:
            log.debug("Control group stays: %s", error, extra={"action": "cgroup-stays"})

    def _killed(self) -> int:
        try:
            lines = (self._path / "memory.events").read_text().splitlines()
        except OSError:
            return 0
        return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)

"""What a Dask cluster can do, from what its scheduler and its workers say. Pure.

All workers that get tasks must be alike: the same engines, architecture and wire version, so that a
site answers like one device. Who is not is left out, in words.
"""

from collections import Counter
from collections.abc import Mapping

import msgspec

from qfleet_agent.workers.bridge_frames import Site
from qfleet_wire.payloads import Engine

PROTOCOL = 1
"""Version of ``remote.run``: what the agent sends to a worker of the cluster."""
MEMORY_SHARE = 0.85
"""Of a worker's limit; Dask pauses a worker above that."""
BASE_BYTES = 192 * 1024 * 1024
"""Memory of a cluster worker beside its tasks: interpreter, Dask, results that wait."""
SEAT_BYTES = 64 * 1024 * 1024
"""Memory of the process that runs a task, beside the task: interpreter and engine."""


class Report(msgspec.Struct, frozen=True):
    """What a worker of the cluster says of itself."""

    protocol: int
    wire: str
    agent: str
    machine: str
    engines: tuple[Engine, ...]


class Member(msgspec.Struct, frozen=True):
    """A worker process of the cluster: its address, and what the scheduler knows of it."""

    address: str
    threads: int
    memory_limit: int
    """In bytes, 0 if it has none."""

    @property
    def share(self) -> int:
        """Bytes that a task may use there while all threads have one."""
        return share(self.memory_limit, self.threads)


class View(msgspec.Struct, frozen=True):
    """The members that get tasks, and the site that they make."""

    members: tuple[Member, ...]
    site: Site

    def able(self, memory_bytes: int) -> list[str] | None:
        """Addresses of the members that a task of this size may run on; None: any worker will do."""
        addresses = [one.address for one in self.members if one.share >= memory_bytes]
        return None if len(addresses) == len(self.members) and not self.site.refused else addresses


def share(memory_limit: int, threads: int) -> int:
    """Bytes that a task may use on a worker of this limit and so many threads."""
    return max((int(memory_limit * MEMORY_SHARE) - BASE_BYTES) // max(threads, 1) - SEAT_BYTES, 0)


def view(
    scheduler: str, members: Mapping[str, Member], reports: Mapping[str, Report | str], wire: str
) -> View:
    """Choose who gets tasks. ``reports`` holds a sentence where a worker could not be asked."""
    refusals = {address: refusal(reports.get(address), members[address], wire) for address in members}
    fit = {address: one for address, one in reports.items() if refusals.get(address, "") is None}
    kinds = Counter((one.machine, one.engines) for one in fit.values() if isinstance(one, Report))
    chosen = min(kinds, key=lambda kind: (-kinds[kind], kind[0], str(kind[1])), default=("", ()))
    for address, one in fit.items():
        if isinstance(one, Report) and (one.machine, one.engines) != chosen:
            refusals[address] = f"it has {_kind(one.machine, one.engines)}, most others have {_kind(*chosen)}"
    taken = tuple(members[address] for address in sorted(members) if refusals[address] is None)
    site = Site(
        scheduler=scheduler,
        workers=len(taken),
        threads=sum(one.threads for one in taken),
        memory_bytes=sum(one.memory_limit for one in taken),
        task_memory_bytes=max((one.share for one in taken), default=0),
        machine=chosen[0],
        engines=chosen[1],
        refused=tuple(f"{address}: {why}" for address, why in sorted(refusals.items()) if why is not None),
    )
    return View(taken, site)


def refusal(report: Report | str | None, member: Member, wire: str) -> str | None:
    """Say why a worker gets no tasks, whatever the others are like; None: it may."""
    if report is None:
        return "it has not answered yet"
    if isinstance(report, str):
        return f"{report}: install qfleet-agent[circuits] in the environment of the workers"
    if report.wire != wire or report.protocol != PROTOCOL:
        return (
            f"it has qfleet-wire {report.wire} with qfleet-agent {report.agent}, the agent has qfleet-wire "
            f"{wire}: install the same versions in the environment of the workers"
        )
    if member.memory_limit <= 0:
        return "it has no memory limit: start it with --memory-limit"
    if member.share <= 0:
        return (
            f"its limit of {member.memory_limit >> 20} MiB leaves nothing for tasks in {member.threads} "
            "threads: start it with more --memory-limit or fewer --nthreads"
        )
    return None


def _kind(machine: str, engines: tuple[Engine, ...]) -> str:
    names = ", ".join(f"{engine.name} {engine.version}" for engine in engines) or "no engine"
    return f"{names} on {machine}"

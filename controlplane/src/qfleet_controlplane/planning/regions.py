"""What a region tells the others about itself, so that anyone can place work on it.

Small enough to be renewed every two seconds: devices alike stand in one class. It is what planning
sees of a region, and holds estimates only; a region decides about its own tasks by its own state.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from qfleet_controlplane.planning import cost, kinds, needs, reach, speeds
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import payloads

MOST_CLASSES = 64
STALE_MS = 10_000
"""Facts that nobody renewed for so long say nothing about now: five renewals were missed."""


class DeviceClass(msgspec.Struct, frozen=True, kw_only=True):
    """Devices that planning cannot tell apart: what each of them can do, and how many there are.

    ``known`` counts those that are in service, ``online`` those of them that are there now.
    """

    engines: tuple[payloads.Engine, ...]
    workers: int
    max_qubits: int
    task_memory_bytes: int
    calibrations: tuple[payloads.Calibration, ...] = ()
    known: int = 0
    online: int = 0
    copies_state: bool = True
    """Whether their engines copy a state before they draw from it; facts of before do not say."""
    reach_ms: float = 0.0
    """How long their answers are on their way; 0 for all that are near."""


class RegionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A region as it last described itself.

    ``energy_price`` is money per kWh, None when nobody said; ``latency_ms`` the median time from an
    assignment to its acceptance, None while nothing was measured; ``backlog_ms`` the estimated work
    of all tasks that wait or are held, in milliseconds of one worker. ``workers`` counts those of
    devices that are online; ``devices`` and ``online`` count devices in service and there.
    ``reachable`` is False while the region's broker has not been connected for some seconds: nothing can
    be handed out there.
    """

    name: str
    residency: tuple[str, ...] = ()
    energy_price: float | None = None
    latency_ms: float | None = None
    backlog_ms: float = 0.0
    pending: int = 0
    held: int = 0
    workers: int = 0
    devices: int = 0
    online: int = 0
    classes: tuple[DeviceClass, ...] = ()
    stale: bool = False
    reachable: bool = True


class Description(NamedTuple):
    """What a region's settings say of it."""

    name: str
    residency: tuple[str, ...] = ()
    energy_price: float | None = None


def aged(facts: RegionFacts, age_ms: float) -> RegionFacts:
    """Mark facts as stale when they are older than ``STALE_MS``; ages by the database's clock."""
    stale = age_ms > STALE_MS
    return facts if facts.stale == stale else msgspec.structs.replace(facts, stale=stale)


def able(facts: RegionFacts, requirement: needs.Requirement) -> list[DeviceClass]:
    """Classes of the region that can run a task; none where too few devices could agree about it."""
    found = [entry for entry in facts.classes if needs.lacks(requirement, entry) is None]
    enough = requirement.devices <= 1 or sum(entry.known for entry in found) >= requirement.devices
    return found if enough else []


def nearest(entries: Iterable[DeviceClass]) -> tuple[list[DeviceClass], float]:
    """Classes with a device that is there whose answers come soonest, and how long these are on their way.

    Devices that are much farther are no help to near ones: a task of seconds would be there for an hour.
    """
    there = [entry for entry in entries if entry.online]
    least = min((entry.reach_ms for entry in there), default=0.0)
    return [entry for entry in there if entry.reach_ms <= max(reach.NEAR_MS, 2.0 * least)], least


def carries(facts: RegionFacts, residency: Iterable[str]) -> bool:
    """Whether the region may have a job's tasks: it carries one of the tags, or none is demanded."""
    wanted = set(residency)
    return not wanted or not wanted.isdisjoint(facts.residency)


def task_ms(entry: DeviceClass, specification: Specification, items: float, shots: float) -> float:
    """Estimated time of a task of so many items and shots on one worker of the class."""
    calibration = cost.calibration_of(entry, specification.capability)
    return cost.TASK_MS + kinds.rates(specification, calibration).cost_ms(items, shots)


def kind_of(told: payloads.Announcement) -> DeviceClass:
    """The class of a device, with nobody in it; speeds are rounded to steps of a quarter, curves thinned."""
    return DeviceClass(
        engines=tuple(sorted((payloads.Engine(e.name, "", e.kinds) for e in told.engines), key=_name)),
        workers=max(0, told.workers),
        max_qubits=told.max_qubits,
        task_memory_bytes=told.task_memory_bytes,
        copies_state=told.copies_state,
        calibrations=tuple(speeds.rounded(entry, 1.25) for entry in told.calibrations),
        reach_ms=reach.rounded(reach.reach_ms(told.way)),
    )


def known_as(kind: DeviceClass, known: Iterable[DeviceClass]) -> DeviceClass:
    """The class that a device is counted to: one that is there and about as fast, or its own.

    Devices of one make measure themselves a little differently each; without this every one of them would
    be a class of its own.
    """
    for other in known:
        if (
            kind.max_qubits == other.max_qubits
            and kind.workers == other.workers
            and kind.task_memory_bytes == other.task_memory_bytes
            and kind.copies_state == other.copies_state
            and kind.reach_ms == other.reach_ms
            and kind.engines == other.engines
            and speeds.alike(kind.calibrations, other.calibrations)
        ):
            return other
    return kind


def classes(members: Iterable[tuple[DeviceClass, bool]]) -> tuple[DeviceClass, ...]:
    """Count devices by class, as finely as ``MOST_CLASSES`` allow, the ablest class first.

    ``members``: the class of each device in service, and whether it is there.
    """
    entries = [
        msgspec.structs.replace(kind, known=known, online=online)
        for kind, (known, online) in _counts(members).items()
    ]
    for coarser in _COARSER:
        if len(entries) <= MOST_CLASSES:
            break
        entries = _merged(entries, coarser)
    entries.sort(key=_size, reverse=True)
    return tuple(entries[:MOST_CLASSES])


def _counts(members: Iterable[tuple[DeviceClass, bool]]) -> Mapping[DeviceClass, tuple[int, int]]:
    """Count by object first: comparing classes costs more, and most devices share theirs."""
    seen: dict[int, list[Any]] = {}
    for kind, online in members:
        entry = seen.get(id(kind))
        if entry is None:
            entry = seen[id(kind)] = [kind, 0, 0]
        entry[1] += 1
        entry[2] += online
    total: dict[DeviceClass, tuple[int, int]] = {}
    for kind, known, online in seen.values():
        before = total.get(kind, (0, 0))
        total[kind] = (before[0] + known, before[1] + online)
    return total


def _name(engine: payloads.Engine) -> str:
    return engine.name


def _size(entry: DeviceClass) -> tuple[int, int, int, int]:
    return (entry.max_qubits, entry.task_memory_bytes, entry.online * entry.workers, entry.known)


def _merged(entries: list[DeviceClass], coarser: Callable[[DeviceClass], DeviceClass]) -> list[DeviceClass]:
    """Join classes that a coarser look cannot tell apart.

    The joint class can do what its ablest member can, so that no region is passed over that
    has a device for a job.
    """
    joined: dict[DeviceClass, list[DeviceClass]] = {}
    for entry in entries:
        joined.setdefault(coarser(entry), []).append(entry)
    return [
        msgspec.structs.replace(
            key,
            workers=round(sum(e.workers * e.known for e in same) / sum(e.known for e in same)),
            max_qubits=max(e.max_qubits for e in same),
            task_memory_bytes=max(e.task_memory_bytes for e in same),
            known=sum(e.known for e in same),
            online=sum(e.online for e in same),
        )
        for key, same in joined.items()
    ]


def _coarse_speed(entry: DeviceClass) -> DeviceClass:
    rounded = tuple(speeds.rounded(each, 2.0) for each in entry.calibrations)
    return _bare(entry, calibrations=rounded, task_memory_bytes=_octave(entry.task_memory_bytes, 8))


def _coarse_size(entry: DeviceClass) -> DeviceClass:
    rounded = tuple(speeds.rounded(each, 8.0) for each in entry.calibrations)
    return _bare(
        entry, calibrations=rounded, workers=0, task_memory_bytes=_octave(entry.task_memory_bytes, 1)
    )


def _only_kinds(entry: DeviceClass) -> DeviceClass:
    return _bare(entry, calibrations=(), workers=0, task_memory_bytes=0, max_qubits=entry.max_qubits // 8)


def _bare(entry: DeviceClass, **changes: object) -> DeviceClass:
    return msgspec.structs.replace(entry, known=0, online=0, **changes)


_COARSER = (_coarse_speed, _coarse_size, _only_kinds)


def _octave(value: int, steps: int) -> int:
    """Number of the step that a size lies in, ``steps`` to a doubling."""
    return round(steps * math.log2(max(1, value)))

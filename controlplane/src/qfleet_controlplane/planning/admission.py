"""Which regions may have a job's tasks at all: where its data may be, and where a device can run it.

Both are hard: no preference, load or failure ever sends a task to a region that is refused here.
"""

from collections.abc import Iterable, Sequence

from qfleet_controlplane.planning import needs, plan, regions
from qfleet_controlplane.planning.regions import DeviceClass, RegionFacts

OUT_OF_REACH = "its broker cannot be reached"


class NothingAdmits(plan.PlanRefused):
    """No region may run the job, or none ever could."""


def admit(
    facts: Sequence[RegionFacts], requirement: needs.Requirement, residency: Iterable[str]
) -> tuple[list[RegionFacts], list[str]]:
    """Return the regions that admit a job, and for each of the others a sentence that says why not.

    A region where no device has announced itself admits a job only when no region is known to be
    able: nothing is known of it, and the job waits there.
    """
    wanted = tuple(dict.fromkeys(residency))
    allowed = [entry for entry in facts if regions.carries(entry, wanted)]
    if not allowed:
        raise _nowhere(facts, wanted)
    admitted = [entry for entry in allowed if regions.able(entry, requirement)]
    admitted = admitted or [entry for entry in allowed if not entry.classes]
    if not admitted:
        reasons = "; ".join(f"{entry.name}: {lack(entry, requirement)}" for entry in allowed)
        among = f" in a region that carries {_tags(wanted)}" if wanted else ""
        raise NothingAdmits(
            f"no device of this fleet can run the job{among}: {reasons}",
            "make the job smaller, or enrol a device that can run it",
        )
    names = {entry.name for entry in admitted}
    return admitted, [
        f"{entry.name} is not used: {why_not(entry, requirement, wanted)}."
        for entry in facts
        if entry.name not in names
    ]


def within_reach(admitted: Sequence[RegionFacts]) -> tuple[list[RegionFacts], list[str]]:
    """Leave out regions that can hand nothing out while another can, each with a sentence; else keep all."""
    reachable = [entry for entry in admitted if entry.reachable and not entry.stale]
    if not reachable:
        return list(admitted), []
    kept = [entry for entry in admitted if entry.reachable]
    left_out = [entry for entry in admitted if not entry.reachable]
    return kept, [f"{entry.name} is not used: {OUT_OF_REACH}." for entry in left_out]


def why_not(facts: RegionFacts, requirement: needs.Requirement, residency: Sequence[str]) -> str:
    """Say why a region does not admit a job."""
    if not regions.carries(facts, residency):
        return f"residency {_tags(residency)} demanded, it carries {_tags(facts.residency)}"
    return lack(facts, requirement)


def lack(facts: RegionFacts, requirement: needs.Requirement) -> str:
    """What the region's ablest device lacks: it is nearest to admitting the job."""
    if not facts.classes:
        return "no device there has said yet what it can do"
    nearest = max(facts.classes, key=lambda entry: _ability(entry, requirement.kind))
    lacking = needs.lacks(requirement, nearest)
    if lacking is None and requirement.devices > 1:
        return f"{requirement.devices} devices must agree, and fewer there can run it"
    return lacking or "it lacks nothing"


def _ability(entry: DeviceClass, kind: str) -> tuple[bool, int, int]:
    runs = any(kind in engine.kinds for engine in entry.engines)
    return (runs, entry.max_qubits, entry.task_memory_bytes)


def _nowhere(facts: Sequence[RegionFacts], wanted: Sequence[str]) -> NothingAdmits:
    carried = "; ".join(f"{entry.name} carries {_tags(entry.residency)}" for entry in facts)
    return NothingAdmits(
        f"no region may run the job: residency {_tags(wanted)} demanded; {carried or 'there is no region'}",
        "demand a tag that a region carries, or give a region the tag in its settings",
    )


def _tags(tags: Sequence[str]) -> str:
    return " or ".join(tags) if tags else "no tag"

"""What must hold for the contacts that a file gives: known ends, times within the scenario, no overlaps."""

import bisect
import datetime as dt
from typing import NamedTuple

from qfleet_controlplane.network.scenario import walker
from qfleet_controlplane.network.scenario.complaints import Complaints
from qfleet_controlplane.network.scenario.lines import Path
from qfleet_controlplane.network.scenario.model import GivenContact, Scenario

SHORTEST_S = 1.0
WORST_QBER = 0.11
"""Above it no key can be made by one-way error correction (Shor and Preskill, PRL 85, 441 (2000))."""
_MOST_BITS = 2.0**53


class _Span(NamedTuple):
    start_s: float
    end_s: float
    position: int


def check(scenario: Scenario, complaints: Complaints) -> None:
    """Refuse what cannot be. Raises ``InvalidScenario``."""
    if not scenario.contacts:
        return
    made = [one.name for pattern in scenario.constellations for one in walker.satellites(pattern)]
    satellites = {one.name for one in scenario.satellites} | set(made)
    names = sorted({one.name for one in scenario.sites} | satellites)
    before: dict[frozenset[str], list[_Span]] = {}
    for position, one in enumerate(scenario.contacts):
        here = ("contacts", position)
        for end in ("a", "b"):
            complaints.unless_known(getattr(one, end), names, (*here, end), "site or satellite")
        if one.a == one.b:
            complaints.refuse((*here, "b"), f"{one.a!r} is joined with itself")
        span = _times(scenario, one, here, complaints)
        _key(scenario, one, here, complaints)
        seen = before.setdefault(frozenset((one.a, one.b)), [])
        place = bisect.bisect(seen, span)
        for other in seen[max(place - 1, 0) : place + 1]:
            _overlap(one, span, other, complaints)
        seen.insert(place, span)


def _times(scenario: Scenario, one: GivenContact, here: Path, complaints: Complaints) -> _Span:
    for key, at in (("start", one.start), ("end", one.end)):
        if isinstance(at, dt.datetime) and at.tzinfo is None:
            complaints.refuse((*here, key), f"{key} has no zone: write it like 2026-03-20T00:00:00Z")
        at_s = scenario.seconds(at)
        if not 0.0 <= at_s <= scenario.duration_s:
            complaints.refuse(
                (*here, key),
                f"{key} lies {at_s:g} s after the epoch, outside the scenario's {scenario.duration_s:g} s",
            )
    start_s, end_s = scenario.seconds(one.start), scenario.seconds(one.end)
    if end_s - start_s < SHORTEST_S:
        complaints.refuse(
            (*here, "end"),
            f"the contact ends {end_s - start_s:g} s after its start: it must last {SHORTEST_S:g} s or more",
        )
    return _Span(start_s, end_s, int(here[1]))


def _key(scenario: Scenario, one: GivenContact, here: Path, complaints: Complaints) -> None:
    if one.bits is not None and one.rate_bps is not None:
        complaints.refuse((*here, "rate_bps"), "bits and rate_bps say the same thing: give one of them")
    for key in ("bits", "rate_bps"):
        if (value := getattr(one, key)) is not None:
            complaints.unless_within(value, (*here, key), 0.0, _MOST_BITS)
    if one.qber is not None:
        complaints.unless_within(one.qber, (*here, "qber"), 0.0, WORST_QBER)
    if one.bits is None and one.rate_bps is None:
        if one.basis == "measured":
            complaints.refuse(here, "a measured contact says what was measured: give bits or rate_bps")
        if not _is_known(scenario, one):
            complaints.refuse(
                here, f"neither a fibre nor a telescope joins {one.a!r} and {one.b!r}: give bits or rate_bps"
            )


def _is_known(scenario: Scenario, one: GivenContact) -> bool:
    """Whether the key of a link can be computed."""
    ends = {one.a, one.b}
    sites = {site.name: site for site in scenario.sites}
    grounded = ends & sites.keys()
    if len(grounded) == 1:
        return sites[grounded.pop()].telescope is not None
    return any({fibre.a, fibre.b} == ends for fibre in scenario.fibres)


def _overlap(one: GivenContact, span: _Span, other: _Span, complaints: Complaints) -> None:
    if span.start_s < other.end_s and other.start_s < span.end_s:
        line = complaints.line(("contacts", other.position))
        complaints.refuse(
            ("contacts", span.position),
            f"the contact of {one.a!r} and {one.b!r} from {span.start_s:g} s to {span.end_s:g} s overlaps "
            f"that of line {line}, from {other.start_s:g} s to {other.end_s:g} s: "
            "merge them, or cut one short",
        )

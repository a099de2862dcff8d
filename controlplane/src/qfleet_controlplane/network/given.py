"""Contacts that a scenario gives, beside the computed ones and before them.

A pass that overlaps a given contact of its pair goes as a whole, since its key is that of one block. Of a
fibre's time only what a given contact takes goes: it makes key evenly.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from msgspec.structs import replace

from qfleet_controlplane.network.budget import clouds, fibres
from qfleet_controlplane.network.orbits.passes import Passes
from qfleet_controlplane.network.scenario.complaints import Complaints
from qfleet_controlplane.network.scenario.model import GivenContact, Scenario
from qfleet_controlplane.network.skies import Skies
from qfleet_controlplane.network.twin.model import pair
from qfleet_wire.api.network import ContactView, LinkKind

_SHORTEST_S = 1e-3
"""What is left of a fibre's hour and is shorter is dropped."""
_SLACK_S = 0.5
"""A part of a pass may reach so far beyond it: about how well rise and set are known."""


def contacts(
    skies: Skies, found: Passes, links: Sequence[fibres.FibreRate], complaints: Complaints
) -> list[ContactView]:
    """Return the scenario's given contacts; what the file does not say of their keys is computed.

    Raises:
        InvalidScenario: a contact without volume while the satellite is below the station's mask.
    """
    rates = {pair(one.a, one.b): one for one in links}
    told = []
    for position, one in enumerate(skies.scenario.contacts):
        view = _view(skies.scenario, one)
        key = _told(one, view) or _of_fibre(view, rates) or _of_pass(skies, found, view)
        if key is None:
            complaints.refuse(
                ("contacts", position),
                f"{one.a!r} and {one.b!r} do not see each other all the time from {view.start_s:g} s to "
                f"{view.end_s:g} s: give bits or rate_bps, or other times",
            )
        bits, qber = key
        qber = qber if one.qber is None else one.qber
        told.append(replace(view, clear_bits=bits, expected_bits=bits * (1.0 - view.cover), qber=qber))
    return told


def beside(told: Iterable[ContactView], computed: Iterable[ContactView]) -> Iterator[ContactView]:
    """Return the given contacts, and of the computed ones what stands beside them."""
    by_pair: dict[str, list[ContactView]] = {}
    for one in told:
        by_pair.setdefault(pair(one.a, one.b), []).append(one)
        yield one
    for one in computed:
        taken = [each for each in by_pair.get(pair(one.a, one.b), ()) if _overlap(one, each)]
        if not taken:
            yield one
        elif one.kind == "fibre":
            yield from _rests(one, sorted(taken, key=lambda each: each.start_s))


def _view(scenario: Scenario, one: GivenContact) -> ContactView:
    """A contact without its key. Clouds hide a satellite from the one station that it is seen from."""
    start_s, end_s = scenario.seconds(one.start), scenario.seconds(one.end)
    grounded = {one.a, one.b} & {site.name for site in scenario.sites}
    if len(grounded) == 2:
        wired = any({fibre.a, fibre.b} == grounded for fibre in scenario.fibres)
        kind: LinkKind = "fibre" if wired else "air"
    else:
        kind = "satellite"
    site = next(iter(grounded)) if len(grounded) == 1 and one.basis == "planned" else ""
    return ContactView(
        number=0,
        a=one.a,
        b=one.b,
        kind=kind,
        start_s=start_s,
        end_s=end_s,
        clear_bits=0.0,
        expected_bits=0.0,
        site=site,
        cover=clouds.cover(scenario, site, start_s, end_s) if site else 0.0,
        origin=one.basis,
    )


def _told(one: GivenContact, view: ContactView) -> tuple[float, float] | None:
    """Bits that the file says, with a QBER of 0 where it says none: such a key is taken as it is."""
    if one.bits is not None:
        return one.bits, 0.0
    return None if one.rate_bps is None else (one.rate_bps * (view.end_s - view.start_s), 0.0)


def _of_fibre(view: ContactView, rates: dict[str, fibres.FibreRate]) -> tuple[float, float] | None:
    rate = rates.get(pair(view.a, view.b))
    return None if rate is None else (rate.secret_bps * (view.end_s - view.start_s), rate.qber)


def _of_pass(skies: Skies, found: Passes, view: ContactView) -> tuple[float, float] | None:
    """The key of the part of a pass that a contact is; None: it is not within one."""
    ends = {view.a, view.b}
    satellites = [number for number, name in enumerate(skies.orbits.names) if name in ends]
    stations = [number for number, one in enumerate(skies.stations) if one.name in ends]
    mine = np.isin(found.satellite, satellites) & np.isin(found.station, stations)
    mine &= (found.rise_s <= view.start_s + _SLACK_S) & (view.end_s - _SLACK_S <= found.set_s)
    chosen = np.flatnonzero(mine)[:1]
    if not len(chosen):
        return None
    bits, qber = skies.keys(found.part(int(chosen[0]), view.start_s, view.end_s))
    return float(bits[0]), float(qber[0])


def _overlap(one: ContactView, other: ContactView) -> bool:
    return one.start_s < other.end_s and other.start_s < one.end_s


def _rests(one: ContactView, taken: Sequence[ContactView]) -> Iterator[ContactView]:
    """What is left of a fibre's contact beside those that take of its time, in order of time."""
    edges = [one.start_s, *(at for each in taken for at in (each.start_s, each.end_s)), one.end_s]
    for start_s, end_s in zip(edges[::2], edges[1::2], strict=True):
        if end_s - start_s < _SHORTEST_S:
            continue
        share = (end_s - start_s) / (one.end_s - one.start_s)
        bits = (one.clear_bits * share, one.expected_bits * share)
        yield replace(one, start_s=start_s, end_s=end_s, clear_bits=bits[0], expected_bits=bits[1])

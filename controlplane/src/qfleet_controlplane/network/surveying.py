"""Computes what follows from a scenario: passes, their keys, fibres' keys, and the contact plan of both.

A pass is one block of key, counted at the middles of equal parts of it; parts in which the station's sky is
not dark count nothing. Fibres make keys all the time, in contacts of an hour each.
"""

from collections.abc import Iterator

import numpy as np
from msgspec.structs import replace

from qfleet_controlplane.network.budget import clouds, downlinks, fibres
from qfleet_controlplane.network.orbits import frames, sun
from qfleet_controlplane.network.orbits.arrays import Bools, Floats, Indices
from qfleet_controlplane.network.orbits.clock import Epoch
from qfleet_controlplane.network.orbits.passes import Passes, find
from qfleet_controlplane.network.orbits.propagation import Orbits
from qfleet_controlplane.network.scenario.model import Scenario, Site
from qfleet_controlplane.network.scenario.reading import read
from qfleet_controlplane.network.survey import Survey
from qfleet_controlplane.network.twin.model import Want
from qfleet_wire.api.network import ContactView, NetworkLinkView, NetworkSiteView, PassView

PARTS = 32
"""Of a pass; of one of seven minutes each lasts 13 s."""
FIBRE_CONTACT_S = 3600.0
_AT_ONCE = 20_000
"""Passes whose parts are computed together, to bound memory."""


def survey(text: str, source: str) -> Survey:
    """Read a scenario and compute all that follows from it.

    Raises:
        InvalidScenario: with file, line and reason.
        OrbitFailed: a satellite cannot be propagated over the scenario.
    """
    return of(read(text, source))


def of(scenario: Scenario) -> Survey:
    """As ``survey``, of a scenario that was read."""
    passes, keys = _passes(scenario)
    links = fibres.rates(scenario)
    contacts = sorted(
        [*_over_satellites(scenario, passes, keys), *_over_fibres(scenario, links)],
        key=lambda one: (one.start_s, one.a, one.b),
    )
    return Survey(
        name=scenario.name,
        title=scenario.title,
        epoch_ms=round(1000 * scenario.epoch.timestamp()),
        duration_s=scenario.duration_s,
        sites=tuple(_site(one) for one in scenario.sites),
        fibres=tuple(
            _link(fibre.length_km, rate) for fibre, rate in zip(scenario.fibres, links, strict=True)
        ),
        satellites=tuple(one.name for one in scenario.satellites),
        passes=tuple(passes),
        contacts=tuple(replace(one, number=number) for number, one in enumerate(contacts)),
        wants=tuple(
            Want(a=one.a, b=one.b, rate_bps=one.rate_bps, priority=one.priority) for one in scenario.demands
        ),
        capacity_bits=scenario.store_bits,
        repeaters=scenario.repeaters,
        devices={one.name: one.device for one in scenario.places if one.device is not None},
    )


# ── passes ──────────────────────────────────────────────────────────────────────────────────────────


def _passes(scenario: Scenario) -> tuple[list[PassView], Floats]:
    """All passes in order of rise, and the QBER of the key of each."""
    stations = [site for site in scenario.sites if site.telescope is not None]
    orbits = Orbits.of(scenario.satellites, Epoch.of(scenario.epoch))
    places = frames.Stations.of(stations)
    masks = np.radians([scenario.telescopes[str(site.telescope)].min_elevation_deg for site in stations])
    found = find(orbits, places, masks, span_s=scenario.duration_s)
    bits, qber = np.zeros(len(found)), np.zeros(len(found))
    for first in range(0, len(found), _AT_ONCE):
        some = np.arange(first, min(first + _AT_ONCE, len(found)))
        bits[some], qber[some] = _keys(scenario, stations, found, (orbits, places), some)
    night, sunlit = _sky(found, orbits, places)
    views = [
        PassView(
            satellite=orbits.names[found.satellite[n]],
            site=stations[found.station[n]].name,
            rise_s=float(found.rise_s[n]),
            culmination_s=float(found.culmination_s[n]),
            set_s=float(found.set_s[n]),
            elevation_deg=float(np.degrees(found.elevation_rad[n])),
            range_km=float(found.range_km[n]),
            night=bool(night[n]),
            sunlit=bool(sunlit[n]),
            bits=float(bits[n]),
        )
        for n in range(len(found))
    ]
    return views, qber


def _keys(
    scenario: Scenario,
    stations: list[Site],
    found: Passes,
    seen: tuple[Orbits, frames.Stations],
    some: Indices,
) -> tuple[Floats, Floats]:
    """Bits and QBER of some passes under a clear sky."""
    orbits, places = seen
    spans = (found.set_s - found.rise_s)[some]
    at_s = found.rise_s[some][:, None] + spans[:, None] * (np.arange(PARTS) + 0.5) / PARTS
    angle = orbits.epoch.sidereal_rad(at_s)
    here = places.at(found.station[some])
    position = frames.turned(orbits.positions(found.satellite[some], at_s), angle)
    looks = frames.look(here, position)
    dark = _is_dark(here, sun.direction(orbits.epoch.days_since_j2000(at_s)), angle)
    seconds = np.where(dark, spans[:, None] / PARTS, 0.0)
    bits, qber = np.zeros(len(some)), np.zeros(len(some))
    for link, mine in _kinds(scenario, stations, found, some):
        # Where the whole pass lies in daylight there is nothing to compute.
        used = mine[seconds[mine].any(axis=1)]
        if len(used):
            block = downlinks.keys(
                link, 1000.0 * looks.range_km[used], looks.elevation_rad[used], seconds=seconds[used]
            )
            bits[used], qber[used] = block.bits, block.qber
    return bits, qber


def _kinds(
    scenario: Scenario, stations: list[Site], found: Passes, some: Indices
) -> Iterator[tuple[downlinks.Downlink, Indices]]:
    """The kinds of link among some passes, each with the positions of its own."""
    senders = [one.transmitter for one in scenario.satellites]
    receivers = [str(one.telescope) for one in stations]
    pairs = [(senders[found.satellite[n]], receivers[found.station[n]]) for n in some]
    for kind in sorted(set(pairs)):
        mine = np.array([place for place, pair in enumerate(pairs) if pair == kind])
        yield downlinks.named(scenario, *kind), mine


def _is_dark(places: frames.Stations, towards: Floats, angle: Floats) -> Bools:
    """Whether it is night at N stations at times (N, T)."""
    risen = sun.elevation_rad(places.up[:, None, :], frames.turned(towards, angle))
    dark: Bools = risen < sun.NIGHT_RAD
    return dark


def _sky(found: Passes, orbits: Orbits, places: frames.Stations) -> tuple[Bools, Bools]:
    """Whether it is night at each culmination, and whether the satellite is in the sun."""
    at_s = found.culmination_s[:, None]
    towards = sun.direction(orbits.epoch.days_since_j2000(at_s))
    night = _is_dark(places.at(found.station), towards, orbits.epoch.sidereal_rad(at_s))
    return night[:, 0], sun.is_sunlit(orbits.positions(found.satellite, at_s), towards)[:, 0]


# ── contacts ────────────────────────────────────────────────────────────────────────────────────────


def _over_satellites(scenario: Scenario, passes: list[PassView], qber: Floats) -> Iterator[ContactView]:
    for one, errors in zip(passes, qber, strict=True):
        if one.bits < 1.0:
            continue
        cover = clouds.cover(scenario, one.site, one.rise_s, one.set_s)
        yield ContactView(
            number=0,
            a=one.satellite,
            b=one.site,
            kind="satellite",
            start_s=one.rise_s,
            end_s=one.set_s,
            clear_bits=one.bits,
            expected_bits=one.bits * (1.0 - cover),
            qber=float(errors),
            site=one.site,
            cover=cover,
        )


def _over_fibres(scenario: Scenario, links: list[fibres.FibreRate]) -> Iterator[ContactView]:
    for link in links:
        start_s = 0.0
        while link.secret_bps > 0.0 and start_s < scenario.duration_s:
            end_s = min(start_s + FIBRE_CONTACT_S, scenario.duration_s)
            bits = link.secret_bps * (end_s - start_s)
            yield ContactView(
                number=0,
                a=link.a,
                b=link.b,
                kind="fibre",
                start_s=start_s,
                end_s=end_s,
                clear_bits=bits,
                expected_bits=bits,
                qber=link.qber,
            )
            start_s = end_s


def _site(site: Site) -> NetworkSiteView:
    return NetworkSiteView(
        name=site.name,
        kind=site.kind,
        latitude_deg=site.latitude_deg,
        longitude_deg=site.longitude_deg,
        altitude_m=site.altitude_m,
    )


def _link(length_km: float, rate: fibres.FibreRate) -> NetworkLinkView:
    return NetworkLinkView(
        a=rate.a,
        b=rate.b,
        length_km=length_km,
        loss_db=rate.loss_db,
        qber=rate.qber,
        secret_bps=rate.secret_bps,
        plob_bps=rate.plob_bps,
    )

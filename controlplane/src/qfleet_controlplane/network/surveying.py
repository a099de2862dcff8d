"""Computes what follows from a scenario: passes, their keys, fibres' keys, and the contact plan of both.

Fibres make keys all the time, in contacts of an hour each. Contacts that the scenario gives go before those
that are computed.
"""

from collections.abc import Iterator

import numpy as np
from msgspec.structs import replace

from qfleet_controlplane.network import given, key_linking
from qfleet_controlplane.network.budget import clouds, fibres
from qfleet_controlplane.network.orbits.arrays import Floats
from qfleet_controlplane.network.orbits.passes import Passes
from qfleet_controlplane.network.orbits.propagation import OrbitFailed
from qfleet_controlplane.network.scenario.complaints import Complaints
from qfleet_controlplane.network.scenario.model import Scenario, Site
from qfleet_controlplane.network.scenario.reading import read
from qfleet_controlplane.network.skies import Skies
from qfleet_controlplane.network.survey import Survey
from qfleet_controlplane.network.twin.model import Want
from qfleet_wire.api.network import ContactView, NetworkLinkView, NetworkSiteView, PassView

FIBRE_CONTACT_S = 3600.0


def survey(text: str, source: str) -> Survey:
    """Read a scenario and compute all that follows from it.

    Raises:
        InvalidScenario: with file, line and reason.
    """
    scenario, complaints = read(text, source), Complaints(text, source)
    try:
        return of(scenario, complaints)
    except OrbitFailed as failed:
        complaints.refuse(("satellites", failed.place, "tle"), str(failed))


def of(scenario: Scenario, complaints: Complaints | None = None) -> Survey:
    """As ``survey``, of a scenario that was read; ``complaints`` knows its lines.

    Raises:
        InvalidScenario: a given contact without a key that could be computed.
        OrbitFailed: a satellite cannot be propagated over the scenario.
    """
    skies = Skies.of(scenario)
    found = skies.passes()
    keys = skies.keys(found)
    passes = _passes(skies, found, keys[0])
    links = fibres.rates(scenario)
    computed = [*_over_satellites(scenario, passes, keys[1]), *_over_fibres(scenario, links)]
    told = given.contacts(skies, found, links, complaints or Complaints("", scenario.name))
    contacts = sorted(given.beside(told, computed), key=lambda one: (one.start_s, one.a, one.b))
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
        links=key_linking.links(skies, found, contacts),
    )


def _passes(skies: Skies, found: Passes, bits: Floats) -> list[PassView]:
    """All passes in order of rise."""
    night, sunlit = skies.at_culmination(found)
    return [
        PassView(
            satellite=skies.orbits.names[found.satellite[n]],
            site=skies.stations[found.station[n]].name,
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

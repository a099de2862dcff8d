"""Finds the links of a scenario over which two of its devices can make keys, and sizes their sessions.

A fibre is one link with the same light all the time. A satellite and a station are one, with a contact for
each pass that gives key; its session sends what the usable time of the pass has, at the mean transmittance
of its pulses. Two places for which the scenario only gives contacts name no source and no detector: a key
cannot be made over them.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from qfleet_controlplane.network.budget import blocks, downlinks, fibres, parts
from qfleet_controlplane.network.key_links import KeyContact, KeyLink
from qfleet_controlplane.network.key_sizing import protocol, receiver, sized
from qfleet_controlplane.network.orbits.passes import Passes
from qfleet_controlplane.network.scenario.model import Fibre, Satellite, Scenario, Site
from qfleet_controlplane.network.skies import Skies
from qfleet_controlplane.network.twin.model import pair
from qfleet_wire.api.network import ContactView
from qfleet_wire.names import DeviceName

LIGHT_M_S = 299_792_458.0
FIBRE_INDEX = 1.468
"""Group index of standard single-mode fibre at 1550 nm (Corning SMF-28 data sheet)."""


def links(skies: Skies, found: Passes, contacts: Sequence[ContactView]) -> tuple[KeyLink, ...]:
    """Return the links that join two devices, by the scenario's contacts; those without key are left out.

    Raises:
        InvalidQuantity: a figure of a link is none.
    """
    scenario = skies.scenario
    known = {pair(one.a, one.b): one for one in _fibres(scenario)}
    for one in _downlinks(skies, found, contacts):
        known.setdefault(pair(one.a, one.b), one)
    return tuple(known.values())


def _fibres(scenario: Scenario) -> Iterator[KeyLink]:
    seats = _seats(scenario)
    for fibre in scenario.fibres:
        if fibre.a in seats and fibre.b in seats:
            link = _fibre(scenario, fibre, (seats[fibre.a], seats[fibre.b]))
            if link.light is not None:
                yield link


def _fibre(scenario: Scenario, fibre: Fibre, devices: tuple[DeviceName, DeviceName]) -> KeyLink:
    source = scenario.sources[fibre.source]
    counts = parts.receiver(scenario.detectors[fibre.detector])
    ends = blocks.Ends(source=source, receiver=counts, partner=counts)
    through = 10.0 ** (-fibres.loss_db(fibre) / 10.0)
    return KeyLink(
        a=fibre.a,
        b=fibre.b,
        devices=devices,
        kind="fibre",
        protocol=protocol(ends),
        bob=receiver(counts),
        pulses_hz=source.rate_hz,
        delay_s=1000.0 * fibre.length_km * FIBRE_INDEX / LIGHT_M_S,
        bits_per_s=fibres.rate(scenario, fibre).secret_bps,
        light=sized(ends, through, source.block_s),
    )


def _downlinks(skies: Skies, found: Passes, contacts: Sequence[ContactView]) -> Iterator[KeyLink]:
    seats = _seats(skies.scenario)
    for n, satellite in enumerate(skies.scenario.satellites):
        for m, station in enumerate(skies.stations):
            if satellite.name in seats and station.name in seats:
                mine = np.flatnonzero((found.satellite == n) & (found.station == m))
                devices = (seats[satellite.name], seats[station.name])
                link = _downlink(skies, (satellite, station, devices), found.some(mine), contacts)
                if link.contacts:
                    yield link


def _downlink(
    skies: Skies,
    ends: tuple[Satellite, Site, tuple[DeviceName, DeviceName]],
    passes: Passes,
    contacts: Sequence[ContactView],
) -> KeyLink:
    """The link of a satellite and a station; a contact that is given counts within the pass that it is in."""
    satellite, station, devices = ends
    kind = downlinks.named(
        skies.scenario, satellite.transmitter, str(station.telescope), background_hz=station.background_hz
    )
    spans = [one for one in contacts if pair(one.a, one.b) == pair(satellite.name, station.name)]
    seen = _contacts(skies, kind, passes, spans)
    range_m = 1000.0 * float(passes.range_km.min()) if len(passes) else 0.0
    return KeyLink(
        a=satellite.name,
        b=station.name,
        devices=devices,
        kind="satellite",
        protocol=protocol(kind.ends),
        bob=receiver(kind.ends.receiver),
        pulses_hz=kind.source.rate_hz,
        delay_s=range_m / LIGHT_M_S,
        bits_per_s=sum(one.expected_bits for one in spans) / skies.scenario.duration_s,
        contacts=tuple(seen),
    )


def _contacts(
    skies: Skies, kind: downlinks.Downlink, passes: Passes, spans: Sequence[ContactView]
) -> Iterator[KeyContact]:
    for one in spans:
        within = np.flatnonzero((passes.rise_s < one.end_s) & (one.start_s < passes.set_s))[:1]
        if not len(within):
            continue
        start_s = max(one.start_s, float(passes.rise_s[within[0]]))
        end_s = min(one.end_s, float(passes.set_s[within[0]]))
        through, seconds = skies.light(passes.part(int(within[0]), start_s, end_s), kind)
        usable = float(seconds.sum())
        if usable <= 0.0:
            continue
        light = sized(kind.ends, float(through @ seconds) / usable, usable, once=True)
        if light is not None:
            yield KeyContact(start_s=one.start_s, end_s=one.end_s, light=light)


def _seats(scenario: Scenario) -> dict[str, DeviceName]:
    return {one.name: DeviceName(one.device) for one in scenario.places if one.device is not None}

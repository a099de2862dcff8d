"""What must hold in a scenario beyond its shape."""

import math

from qfleet_controlplane.network.orbits import frames
from qfleet_controlplane.network.scenario import elements, given, part_checks, walker
from qfleet_controlplane.network.scenario.complaints import Complaints
from qfleet_controlplane.network.scenario.lines import Path
from qfleet_controlplane.network.scenario.model import Constellation, Satellite, Scenario, Site
from qfleet_wire.errors import InvalidName
from qfleet_wire.names import parse_name

DEAD_SEA_M = -430.5
"""Altitude of the lowest dry land; below it a site would stand in the sea, or under the ground."""
HIGHEST_M = 9_000.0
LONGEST_H = 24.0 * 31
MOST_SATELLITES = 10_000
MOST_PAIR_HOURS = 3e6
"""Satellites times stations times hours: 1,000 over 100 for a day is 2.4 million, with 400,000 passes."""
MOST_FIBRE_HOURS = 5e5
MOST_STORED = 1e15
"""Bits of one store: a hundred million times what one is likely to hold."""
_LEAST_DB = 1e-3
"""Of a fibre: the bound of a channel without any loss is endless."""
_ROUNDED_KM = 0.02
"""What two positions with four digits of a degree can be off together."""
_YEARS = (1950, 2050)
"""For which the sun's place is known well enough (``orbits.sun``)."""

_REPEATERS: dict[str, tuple[float, float]] = {
    "link_fidelity": (0.25, 1.0), "photon_efficiency": (1e-6, 1.0), "swap_success": (1e-6, 1.0),
    "one_qubit": (0.0, 1.0), "two_qubit": (0.0, 1.0), "readout": (0.5, 1.0), "rounds": (0, 8),
    "final_rounds": (0, 8),
}  # fmt: skip


def check(scenario: Scenario, complaints: Complaints) -> None:
    """Refuse what cannot be, the first thing that is found. Raises ``InvalidScenario``."""
    shape = (_whole, part_checks.check, _sites, _fibres, _satellites, _size, _devices)
    for one in (*shape, _weather, given.check, _demands):
        one(scenario, complaints)


def _whole(scenario: Scenario, complaints: Complaints) -> None:
    if scenario.epoch.tzinfo is None:
        complaints.refuse(("epoch",), "epoch has no zone: write it like 2026-03-20T00:00:00Z")
    if not _YEARS[0] <= scenario.epoch.year <= _YEARS[1]:
        complaints.refuse(
            ("epoch",), f"epoch lies in {scenario.epoch.year}, outside {_YEARS[0]} to {_YEARS[1]}"
        )
    complaints.unless_within(scenario.hours, ("hours",), 0.01, LONGEST_H)
    complaints.unless_within(scenario.store_bits, ("store_bits",), 1.0, MOST_STORED)
    complaints.unless_name(scenario.name, ("name",), "scenario")
    for key, (least, most) in _REPEATERS.items():
        complaints.unless_within(getattr(scenario.repeaters, key), ("repeaters", key), least, most)
    if not scenario.sites:
        complaints.refuse((), "a scenario has at least one [[sites]]")


# ── places and links ────────────────────────────────────────────────────────────────────────────────


def _sites(scenario: Scenario, complaints: Complaints) -> None:
    complaints.unless_single([site.name for site in scenario.sites], "sites", "site")
    for position, site in enumerate(scenario.sites):
        here = ("sites", position)
        complaints.unless_within(site.latitude_deg, (*here, "latitude_deg"), -90.0, 90.0)
        complaints.unless_within(site.longitude_deg, (*here, "longitude_deg"), -180.0, 180.0)
        if site.altitude_m < DEAD_SEA_M:
            complaints.refuse(
                (*here, "altitude_m"),
                f"altitude_m = {site.altitude_m:g} lies under the sea: dry land ends at {DEAD_SEA_M:g} m",
            )
        complaints.unless_within(site.altitude_m, (*here, "altitude_m"), DEAD_SEA_M, HIGHEST_M)
        if (site.kind == "station") != (site.telescope is not None):
            complaints.refuse(
                (*here, "telescope" if site.telescope else "kind"),
                f"site {site.name!r} is a {site.kind}: a station has a telescope, and nothing else has",
            )
        if site.background_hz is not None:
            complaints.unless_within(site.background_hz, (*here, "background_hz"), *part_checks.COUNTS)
            if site.telescope is None:
                complaints.refuse(
                    (*here, "background_hz"),
                    f"site {site.name!r} has no telescope, so no stray light reaches detectors there",
                )
        if site.telescope is not None:
            complaints.unless_known(site.telescope, scenario.telescopes, (*here, "telescope"), "telescope")


def _fibres(scenario: Scenario, complaints: Complaints) -> None:
    names = [site.name for site in scenario.sites]
    seen: set[frozenset[str]] = set()
    for position, fibre in enumerate(scenario.fibres):
        here = ("fibres", position)
        _pair(fibre.a, fibre.b, names, here, complaints)
        both = frozenset((fibre.a, fibre.b))
        if both in seen:
            complaints.refuse((*here, "a"), f"two fibres join {fibre.a!r} and {fibre.b!r}: give them as one")
        seen.add(both)
        complaints.unless_within(fibre.length_km, (*here, "length_km"), 1e-3, 2000.0)
        straight_km = _apart_km(*(one for one in scenario.sites if one.name in both))
        if fibre.length_km < straight_km - _ROUNDED_KM:
            complaints.refuse(
                (*here, "length_km"),
                f"length_km = {fibre.length_km:g} is shorter than the straight line between {fibre.a!r} and "
                f"{fibre.b!r}, {straight_km:.3f} km",
            )
        complaints.unless_within(fibre.loss_db_per_km, (*here, "loss_db_per_km"), 0.0, 10.0)
        complaints.unless_within(fibre.extra_loss_db, (*here, "extra_loss_db"), 0.0, 100.0)
        if fibre.length_km * fibre.loss_db_per_km + fibre.extra_loss_db < _LEAST_DB:
            complaints.refuse(
                (*here, "loss_db_per_km"), f"the fibre loses less than {_LEAST_DB:g} dB, which none does"
            )
        complaints.unless_known(fibre.source, scenario.sources, (*here, "source"), "source")
        complaints.unless_known(fibre.detector, scenario.detectors, (*here, "detector"), "detector")
        part_checks.unless_gated(scenario, (fibre.source, fibre.detector), (*here, "detector"), complaints)


def _apart_km(one: Site, other: Site) -> float:
    """The straight line between two sites, through the ground where it must: no fibre is shorter."""
    places = frames.Stations.of([one, other]).position_km
    return math.dist(places[0], places[1])


def _pair(a: str, b: str, names: list[str], here: Path, complaints: Complaints) -> None:
    complaints.unless_known(a, names, (*here, "a"), "site")
    complaints.unless_known(b, names, (*here, "b"), "site")
    if a == b:
        complaints.refuse((*here, "b"), f"{a!r} is joined with itself")


# ── satellites ──────────────────────────────────────────────────────────────────────────────────────


def _satellites(scenario: Scenario, complaints: Complaints) -> None:
    sites = [site.name for site in scenario.sites]
    complaints.unless_single([one.name for one in scenario.satellites], "satellites", "satellite")
    for position, satellite in enumerate(scenario.satellites):
        here = ("satellites", position)
        if satellite.name in sites:
            complaints.refuse((*here, "name"), f"a site and a satellite are called {satellite.name!r}")
        complaints.unless_known(
            satellite.transmitter, scenario.transmitters, (*here, "transmitter"), "transmitter"
        )
        if satellite.tle is None or satellite.elements is not None:
            complaints.refuse(here, f"satellite {satellite.name!r} has no tle: give its two lines")
        wrong = elements.faults(*satellite.tle)
        if wrong is not None:
            complaints.refuse((*here, "tle"), f"satellite {satellite.name!r}: {wrong}")
        _age(satellite, satellite.tle[0], scenario, here, complaints)
    complaints.unless_single([one.name for one in scenario.constellations], "constellations", "constellation")
    for position, pattern in enumerate(scenario.constellations):
        _constellation(pattern, scenario, ("constellations", position), complaints)


def _age(satellite: Satellite, first: str, scenario: Scenario, here: Path, complaints: Complaints) -> None:
    """Elements that are too old, or too young, for some time of the scenario."""
    complaints.unless_within(satellite.max_age_days, (*here, "max_age_days"), 1.0, 36_525.0)
    since_days = (scenario.epoch - elements.epoch(first)).total_seconds() / 86_400.0
    age_days = max(abs(since_days), abs(since_days + scenario.hours / 24.0))
    if age_days > satellite.max_age_days:
        complaints.refuse(
            (*here, "tle"),
            f"satellite {satellite.name!r}: the TLE is of {elements.epoch(first):%Y-%m-%d}, up to "
            f"{age_days:.1f} days from the scenario's times, where it may be {age_days:.0f} km wrong: take a "
            f"newer one, or set max_age_days (it is {satellite.max_age_days:g})",
        )


def _constellation(pattern: Constellation, scenario: Scenario, here: Path, complaints: Complaints) -> None:
    bounded: tuple[tuple[str, float, float], ...] = (
        ("satellites", 1, MOST_SATELLITES), ("planes", 1, MOST_SATELLITES),
        ("phasing", 0, pattern.planes - 1), ("inclination_deg", 0.0, 180.0), ("altitude_km", 160.0, 50_000.0),
    )  # fmt: skip
    for key, least, most in bounded:
        complaints.unless_within(getattr(pattern, key), (*here, key), least, most)
    if pattern.satellites % pattern.planes:
        complaints.refuse(
            (*here, "planes"),
            f"{pattern.satellites} satellites cannot be spread evenly over {pattern.planes} planes",
        )
    complaints.unless_known(pattern.transmitter, scenario.transmitters, (*here, "transmitter"), "transmitter")
    taken = {place.name for place in scenario.places}
    for made in walker.satellites(pattern):
        if made.name in taken:
            complaints.refuse(
                (*here, "name"), f"{made.name!r} is one of its satellites and something else too"
            )


def _size(scenario: Scenario, complaints: Complaints) -> None:
    """Refuse what would take too long and too much memory to compute and to hold."""
    satellites = len(scenario.satellites) + sum(one.satellites for one in scenario.constellations)
    stations = sum(site.telescope is not None for site in scenario.sites)
    if satellites > MOST_SATELLITES or satellites * stations * scenario.hours > MOST_PAIR_HOURS:
        complaints.refuse(
            ("hours",),
            f"{satellites:,} satellites over {stations:,} stations for {scenario.hours:g} h are too many: "
            f"at most {MOST_SATELLITES:,} satellites, and {MOST_PAIR_HOURS:,.0f} of all three multiplied",
        )
    if len(scenario.fibres) * scenario.hours > MOST_FIBRE_HOURS:
        complaints.refuse(
            ("hours",),
            f"{len(scenario.fibres):,} fibres for {scenario.hours:g} h are too many: "
            f"at most {MOST_FIBRE_HOURS:,.0f} of both multiplied",
        )


def _devices(scenario: Scenario, complaints: Complaints) -> None:
    """A device is in one place. Whether the fleet has it does not matter: it may enrol later."""
    at: dict[str, str] = {}
    sites = len(scenario.sites)
    for number, place in enumerate(scenario.places):
        if place.device is None:
            continue
        table, position = ("sites", number) if number < sites else ("satellites", number - sites)
        here = (table, position, "device")
        try:
            parse_name(place.device, "device")
        except InvalidName as error:
            complaints.refuse(here, str(error))
        if place.device in at:
            other = at[place.device]
            complaints.refuse(here, f"device {place.device!r} is at {other!r} and at {place.name!r}")
        at[place.device] = place.name


# ── weather and demands ─────────────────────────────────────────────────────────────────────────────


def _weather(scenario: Scenario, complaints: Complaints) -> None:
    stations = [site.name for site in scenario.sites if site.telescope is not None]
    seen: set[str] = set()
    for position, told in enumerate(scenario.weather):
        here = ("weather", position)
        complaints.unless_known(told.site, stations, (*here, "site"), "station")
        if told.site in seen:
            complaints.refuse((*here, "site"), f"the weather over {told.site!r} is told twice")
        seen.add(told.site)
        if len(told.cover) != len(told.from_h) or not told.cover:
            complaints.refuse(
                (*here, "cover"), f"{len(told.cover)} values of cover for {len(told.from_h)} times in from_h"
            )
        for before, after in zip(told.from_h, told.from_h[1:], strict=False):
            if not before < after:
                complaints.refuse((*here, "from_h"), f"from_h must rise, and {after:g} follows {before:g}")
        for at_h in told.from_h:
            complaints.unless_within(at_h, (*here, "from_h"), 0.0, LONGEST_H)
        for value in told.cover:
            complaints.unless_within(value, (*here, "cover"), 0.0, 1.0)


def _demands(scenario: Scenario, complaints: Complaints) -> None:
    names = [site.name for site in scenario.sites]
    for position, demand in enumerate(scenario.demands):
        here = ("demands", position)
        _pair(demand.a, demand.b, names, here, complaints)
        complaints.unless_within(demand.rate_bps, (*here, "rate_bps"), 1e-6, 1e9)

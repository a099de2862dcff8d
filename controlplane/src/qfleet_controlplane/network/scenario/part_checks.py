"""What must hold for the parts that a scenario names: detectors, sources, telescopes and transmitters.

The greatest values stand far beyond every device that was built: they keep out what is no number, and what
no formula can be computed with.
"""

from qfleet_controlplane.network.scenario.complaints import Complaints
from qfleet_controlplane.network.scenario.lines import Path
from qfleet_controlplane.network.scenario.model import Scenario, Source

_SHARE, COUNTS, _DB = (0.0, 1.0), (0.0, 1e9), (0.0, 200.0)
_BOUNDS: dict[str, dict[str, tuple[float, float]]] = {
    "detectors": {
        "efficiency": (1e-6, 1.0), "dark_hz": COUNTS, "window_ns": (1e-3, 1e9), "dead_time_ns": (0.0, 1e9),
        "afterpulsing": (0.0, 0.5), "misalignment": (0.0, 0.5),
    },
    "sources": {
        "rate_hz": (1.0, 1e12), "key_basis": (1e-3, 1.0 - 1e-3), "pairs": (1e-6, 1.0),
        "block_s": (1e-3, 86_400.0 * 31),
    },
    "telescopes": {
        "aperture_m": (1e-3, 100.0), "optics_efficiency": (1e-6, 1.0), "background_hz": COUNTS,
        "zenith_loss_db": _DB, "min_elevation_deg": (0.0, 89.0),
    },
    "transmitters": {
        "divergence_urad": (1e-2, 1e5), "pointing_urad": (0.0, 1e5), "optics_loss_db": _DB,
    },
}  # fmt: skip
_BRIGHTEST = 10.0
"""Photons of a pulse; decoy states are of about one."""


def check(scenario: Scenario, complaints: Complaints) -> None:
    """Refuse what cannot be. Raises ``InvalidScenario``."""
    for table, bounds in _BOUNDS.items():
        for name, part in getattr(scenario, table).items():
            for key, (least, most) in bounds.items():
                complaints.unless_within(getattr(part, key), (table, name, key), least, most)
    for name, source in scenario.sources.items():
        _source(source, ("sources", name), complaints)
    for name, telescope in scenario.telescopes.items():
        path = ("telescopes", name, "detector")
        complaints.unless_known(telescope.detector, scenario.detectors, path, "detector")
    for name, transmitter in scenario.transmitters.items():
        path = ("transmitters", name, "source")
        complaints.unless_known(transmitter.source, scenario.sources, path, "source")
    _gates(scenario, complaints)


def unless_gated(scenario: Scenario, link: tuple[str, str], path: Path, complaints: Complaints) -> None:
    """Refuse a source and a detector, by name, whose window is longer than what lies between two pulses."""
    source, detector = link
    window_ns = scenario.detectors[detector].window_ns
    apart_ns = 1e9 / scenario.sources[source].rate_hz
    if window_ns > apart_ns:
        complaints.refuse(
            path,
            f"detector {detector!r} counts clicks within {window_ns:g} ns of a pulse, "
            f"and the pulses of {source!r} are {apart_ns:g} ns apart",
        )


def _source(source: Source, path: Path, complaints: Complaints) -> None:
    strong, weak, vacuum = source.intensities
    complaints.unless_within(strong, (*path, "intensities"), 0.0, _BRIGHTEST)
    # Lim et al., Phys. Rev. A 89, 022307 (2014): the estimates hold for such intensities only.
    if not (strong > weak + vacuum and weak > vacuum >= 0):
        complaints.refuse(
            (*path, "intensities"),
            f"intensities = {list(source.intensities)} must fall, the first above the sum of the others",
        )
    for share in source.probabilities:
        complaints.unless_within(share, (*path, "probabilities"), *_SHARE)
    if min(source.probabilities) <= 0 or abs(sum(source.probabilities) - 1) > 1e-9:
        complaints.refuse(
            (*path, "probabilities"),
            f"probabilities = {list(source.probabilities)} must be above 0 and sum to 1",
        )


def _gates(scenario: Scenario, complaints: Complaints) -> None:
    """Every transmitter may be seen by every station that has a telescope."""
    senders = {one.transmitter for one in scenario.satellites}
    senders |= {one.transmitter for one in scenario.constellations}
    for name in sorted({str(site.telescope) for site in scenario.sites if site.telescope}):
        telescope = scenario.telescopes.get(name)
        for sender in sorted(senders & scenario.transmitters.keys()):
            if telescope is not None:
                link = (scenario.transmitters[sender].source, telescope.detector)
                unless_gated(scenario, link, ("telescopes", name, "detector"), complaints)

"""Key of a day against total loss, drawn into ``docs/key-volume.png``: constellation and metro ring.

Loss is added to every link of a scenario, as worse optics or longer fibres would, and the whole survey is
computed anew. Total loss is the channel's, without the receiver: for satellites the median over their usable
passes at culmination, under a clear sky.
"""

import math
import statistics
from pathlib import Path

from benchmarks.figures import Figure, number
from matplotlib.figure import Figure as Drawing
from msgspec.structs import replace

from qfleet_controlplane.network import scenarios, surveying
from qfleet_controlplane.network.budget import downlinks
from qfleet_controlplane.network.scenario.model import Scenario
from qfleet_controlplane.network.scenario.reading import read
from qfleet_controlplane.network.survey import Survey

FILE = Path(__file__).parents[1] / "docs" / "key-volume.png"
EXTRA_DB = tuple(range(-6, 19, 3))
FIBRE_DB = tuple(range(0, 46, 3))
_DAY_S = 86_400.0
_BLUE, _GREY = "#1f6f8b", "#777777"


def run() -> list[Figure]:
    """Compute both curves, draw them, and return a row for each scenario."""
    space = [_satellites(extra) for extra in EXTRA_DB]
    ring = [_fibres(extra) for extra in FIBRE_DB]
    _draw(space, ring)
    here = space[EXTRA_DB.index(0)]
    lost = next((loss for loss, bits in space if bits == 0), None)
    dark = next((loss for loss, bits, _ in ring if bits == 0), None)
    return [
        Figure(
            what="key of a day over satellites, constellation as shipped (simulated)",
            ours=f"{number(here[1] / 1e6)} Mbit at {number(here[0])} dB; none from {_spelt(lost)} on",
        ),
        Figure(
            what="key of a day over fibre, metro-ring as shipped (simulated)",
            ours=f"{number(ring[0][1] / 1e9)} Gbit at {number(ring[0][0])} dB; none from {_spelt(dark)} on",
        ),
    ]


def _satellites(extra_db: float) -> tuple[float, float]:
    """Median loss in dB and expected bits of a day over satellites, with so much loss more."""
    scenario = read(scenarios.text_of("constellation"), "constellation.toml")
    changed = replace(
        scenario,
        fibres=(),
        transmitters={
            name: replace(one, optics_loss_db=one.optics_loss_db + extra_db)
            for name, one in scenario.transmitters.items()
        },
    )
    found = surveying.of(changed)
    return _median_db(changed, found), sum(one.expected_bits for one in found.contacts)


def _median_db(scenario: Scenario, found: Survey) -> float:
    usable = [one for one in found.passes if one.night]
    link = downlinks.named(scenario, scenario.satellites[0].transmitter, "one-metre")
    losses = downlinks.losses(
        link,
        [1000.0 * one.range_km for one in usable],
        [math.radians(one.elevation_deg) for one in usable],
    )
    return float(statistics.median(losses.total_db.tolist()))


def _fibres(extra_db: float) -> tuple[float, float, float]:
    """Mean loss in dB of a link, bits of a day over all links, and the bound of PLOB on them."""
    scenario = read(scenarios.text_of("metro-ring"), "metro-ring.toml")
    longer = tuple(replace(one, extra_loss_db=one.extra_loss_db + extra_db) for one in scenario.fibres)
    found = surveying.of(replace(scenario, fibres=longer))
    loss = statistics.mean(one.loss_db for one in found.fibres)
    bound = _DAY_S * sum(one.plob_bps for one in found.fibres)
    return loss, sum(one.expected_bits for one in found.contacts), bound


def _draw(space: list[tuple[float, float]], ring: list[tuple[float, float, float]]) -> None:
    drawing = Drawing(figsize=(9.0, 3.6), layout="constrained")
    left, right = drawing.subplots(1, 2)
    left.semilogy(*zip(*[each for each in space if each[1] > 0], strict=True), "o-", color=_BLUE)
    left.set(
        title="96 satellites, 24 stations", xlabel="loss at culmination, median, dB", ylabel="bits a day"
    )
    with_key = [(loss, bits) for loss, bits, _ in ring if bits > 0]
    right.semilogy(*zip(*with_key, strict=True), "o-", color=_BLUE, label="decoy-state BB84, finite key")
    right.semilogy(
        [each[0] for each in ring], [each[2] for each in ring], "--", color=_GREY, label="PLOB bound"
    )
    right.set(title="metro ring, 6 fibres", xlabel="loss of a link, mean, dB", ylabel="bits a day")
    right.legend()
    for axes in (left, right):
        axes.grid(visible=True, alpha=0.3)
    drawing.suptitle("Key of a day against total loss (simulated)", fontsize=10)
    drawing.savefig(FILE, dpi=110, metadata={"Software": None})


def _spelt(loss_db: float | None) -> str:
    return "no loss that was tried" if loss_db is None else f"{number(loss_db)} dB"

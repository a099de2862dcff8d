"""What fibres give: a key rate that does not change, from blocks of a given duration."""

from dataclasses import dataclass

from qfleet_controlplane.network.budget import blocks, parts
from qfleet_controlplane.network.scenario import model
from qfleet_wire.qkd import bb84_finite, plob


@dataclass(frozen=True, slots=True, kw_only=True)
class FibreRate:
    """A fibre's loss, its sifted rate in both bases and error rate, and its secret rate beside the bound.

    ``secret_bps`` is the finite key of a block of ``block_s``, over that time. ``plob_bps`` is what no
    protocol without repeaters exceeds, at the source's rate of pulses and through the fibre alone.
    """

    a: str
    b: str
    loss_db: float
    sifted_bps: float
    qber: float
    secret_bps: float
    block_s: float
    plob_bps: float


def loss_db(fibre: model.Fibre) -> float:
    """The loss of a fibre with its connectors and filters."""
    return fibre.length_km * fibre.loss_db_per_km + fibre.extra_loss_db


def rates(scenario: model.Scenario) -> list[FibreRate]:
    """The rate of each fibre, in the scenario's order."""
    return [rate(scenario, fibre) for fibre in scenario.fibres]


def rate(
    scenario: model.Scenario, fibre: model.Fibre, *, security: bb84_finite.Security | None = None
) -> FibreRate:
    """The rate of one fibre; ``security`` is ε_sec = 1e-9 and ε_cor = 1e-15 where not given."""
    source = scenario.sources[fibre.source]
    counts = parts.receiver(scenario.detectors[fibre.detector])
    loss = loss_db(fibre)
    through = 10.0 ** (-loss / 10.0)
    ends = blocks.Ends(source=source, receiver=counts, partner=counts)
    found = blocks.keys(ends, [through], seconds=[source.block_s], security=security)
    return FibreRate(
        a=fibre.a,
        b=fibre.b,
        loss_db=loss,
        sifted_bps=float(found.sifted_bits) / source.block_s,
        qber=float(found.qber),
        secret_bps=float(found.bits) / source.block_s,
        block_s=source.block_s,
        plob_bps=source.rate_hz * float(plob.bits_per_use(through)),
    )

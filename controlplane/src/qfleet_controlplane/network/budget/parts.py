"""The parts that a scenario names, as the formulas of key rates take them."""

from qfleet_controlplane.network.budget.beam import Beam
from qfleet_controlplane.network.scenario import model
from qfleet_wire.qkd import decoys, detection

_MICRO, _NANO = 1e-6, 1e-9


def beam(transmitter: model.Transmitter) -> Beam:
    """A satellite's beam."""
    return Beam(
        divergence_rad=transmitter.divergence_urad * _MICRO,
        profile=transmitter.profile,
        jitter_rad=transmitter.pointing_urad * _MICRO,
    )


def source(named: model.Source) -> decoys.Source:
    """A source of decoy states."""
    return decoys.Source(
        intensities=named.intensities, probabilities=named.probabilities, key_basis=named.key_basis
    )


def receiver(
    detector: model.Detector, *, optics_efficiency: float = 1.0, background_hz: float = 0.0
) -> detection.Receiver:
    """A receiver behind optics of that efficiency, with stray light of so many counts in all detectors.

    The counts without light are those of all detectors together: a receiver that chooses its basis at random
    by a beam splitter sorts them into the bases as it does the light.
    """
    return detection.Receiver(
        efficiency=detector.efficiency * optics_efficiency,
        noise=detection.noise_per_gate(detector.dark_hz + background_hz, detector.window_ns * _NANO),
        misalignment=detector.misalignment,
        afterpulsing=detector.afterpulsing,
        dead_time_s=detector.dead_time_ns * _NANO,
    )

"""What counts of three intensities say about vacuum and single photons.

Lim, Curty, Walenta, Xu, Zbinden, PRA 89, 022307 (2014), equations 2 to 4. With no deviation they are the
bounds of Ma, Qi, Zhao, Lo, PRA 72, 012326 (2005), equations 18, 21 and 25.
"""

from dataclasses import dataclass

import numpy as np

from qfleet_wire.qkd import decoys
from qfleet_wire.qkd.quantities import Floats


@dataclass(frozen=True, slots=True)
class Events:
    """Lower bounds on the events of a basis in which the source sent no photon, or one; shape (...)."""

    vacuum: Floats
    single: Floats


def events(counts: Floats, source: decoys.Source, log_term: Floats) -> Events:
    """s_0 (eq. 2) and s_1 (eq. 3) of counts (..., 3); ``log_term`` is ln(21 / ε_sec), 0 for exact counts."""
    mu, tau = _intensities(source), _photons(source)
    least, most = _deviated(counts, source, log_term)
    total = counts.sum(axis=-1)
    vacuum = tau[0] * (mu[1] * least[..., 2] - mu[2] * most[..., 1]) / (mu[1] - mu[2])
    vacuum = np.clip(vacuum, 0.0, total)
    multiple = (mu[1] ** 2 - mu[2] ** 2) / mu[0] ** 2 * (most[..., 0] - vacuum / tau[0])
    single = tau[1] * mu[0] * (least[..., 1] - most[..., 2] - multiple)
    single = single / (mu[0] * (mu[1] - mu[2]) - mu[1] ** 2 + mu[2] ** 2)
    return Events(vacuum, np.clip(single, 0.0, total - vacuum))


def single_errors(errors: Floats, source: decoys.Source, log_term: Floats) -> Floats:
    """v_1 (eq. 4), an upper bound on the single-photon errors among errors (..., 3); may be negative."""
    mu = _intensities(source)
    least, most = _deviated(errors, source, log_term)
    found: Floats = _photons(source)[1] * (most[..., 1] - least[..., 2]) / (mu[1] - mu[2])
    return found


def _intensities(source: decoys.Source) -> Floats:
    """The intensities, first axis first."""
    return np.moveaxis(np.asarray(source.intensities, dtype=np.float64), -1, 0)


def _photons(source: decoys.Source) -> tuple[Floats, Floats]:
    """τ_0 and τ_1, the probabilities that no photon or one is sent, whatever the intensity (below eq. 2)."""
    mu = np.asarray(source.intensities, dtype=np.float64)
    none = np.asarray(source.probabilities, dtype=np.float64) * np.exp(-mu)
    return none.sum(axis=-1), (none * mu).sum(axis=-1)


def _deviated(counts: Floats, source: decoys.Source, log_term: Floats) -> tuple[Floats, Floats]:
    """n^- and n^+ of each intensity (below eq. 2)."""
    scale = np.exp(np.asarray(source.intensities, dtype=np.float64)) / np.asarray(source.probabilities)
    deviation = np.sqrt(counts.sum(axis=-1) / 2.0 * log_term)[..., None]
    return scale * (counts - deviation), scale * (counts + deviation)

"""Qiskit on a fleet (extra ``qfleet[qiskit]``): a backend and the V2 primitives, for programs that exist.

    from qfleet.qiskit import FleetSampler as Sampler

instead of ``StatevectorSampler`` is all that an existing program changes. The quantum states are simulated
by the devices of the fleet.
"""

from qfleet.qiskit.backend import FleetBackend, FleetJob
from qfleet.qiskit.estimator import FleetEstimator
from qfleet.qiskit.jobs import PrimitivesJob
from qfleet.qiskit.sampler import FleetSampler

__all__ = ["FleetBackend", "FleetEstimator", "FleetJob", "FleetSampler", "PrimitivesJob"]

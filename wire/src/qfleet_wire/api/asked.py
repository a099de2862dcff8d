"""What a job may ask for beside programs: one request for each family of workloads."""

from typing import TypeAlias

from qfleet_wire.api.amplitude import AmplitudeRequest
from qfleet_wire.api.annealing import AnnealRequest
from qfleet_wire.api.dynamics import DynamicsRequest
from qfleet_wire.api.integration import PhiRequest
from qfleet_wire.api.kernel import KernelRequest
from qfleet_wire.api.variational import VariationalRequest

Asked: TypeAlias = (
    DynamicsRequest | AnnealRequest | VariationalRequest | AmplitudeRequest | KernelRequest | PhiRequest
)
"""The tag is the kind of the job."""

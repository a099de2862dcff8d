"""The HTTP API's requests and answers, shared by the control plane and the client.

Times are milliseconds since the epoch, UTC. Everything is JSON; ``kind`` and ``status`` values
are the ones of the machines' tables.
"""

from typing import TypeAlias

from qfleet_wire.api.amplitude import AmplitudeRequest, AmplitudeResultView
from qfleet_wire.api.annealing import AnnealRequest, AnnealResultView, EnergyView, Label, StateView
from qfleet_wire.api.asked import Asked
from qfleet_wire.api.dynamics import DynamicsRequest, DynamicsResultView
from qfleet_wire.api.fleet import (
    DeviceStatus,
    DeviceView,
    FleetView,
    Invitation,
    InviteRequest,
    RegionView,
    RevokeRequest,
    TelemetryGap,
    TelemetrySample,
    TelemetryView,
)
from qfleet_wire.api.integration import PhiRequest, PhiResultView
from qfleet_wire.api.jobs import (
    LOST_AFTER_S,
    MAX_ATTEMPTS,
    JobDetail,
    JobKind,
    JobRequest,
    JobView,
    TaskCounts,
    TaskView,
)
from qfleet_wire.api.kernel import KernelRequest, KernelResultView
from qfleet_wire.api.noise import NoiseRequest
from qfleet_wire.api.problems import Place, Problem
from qfleet_wire.api.results import (
    EchoResultView,
    ExpectItemView,
    ExpectResultView,
    SampleItemView,
    SampleResultView,
    SourceView,
    ValueView,
)
from qfleet_wire.api.status import FINISHED, JobStatus
from qfleet_wire.api.variational import VariationalRequest, VariationalResultView

ResultView: TypeAlias = (
    SampleResultView
    | ExpectResultView
    | EchoResultView
    | DynamicsResultView
    | AnnealResultView
    | VariationalResultView
    | AmplitudeResultView
    | KernelResultView
    | PhiResultView
)

__all__ = [
    "FINISHED",
    "LOST_AFTER_S",
    "MAX_ATTEMPTS",
    "AmplitudeRequest",
    "AmplitudeResultView",
    "AnnealRequest",
    "AnnealResultView",
    "Asked",
    "DeviceStatus",
    "DeviceView",
    "DynamicsRequest",
    "DynamicsResultView",
    "EchoResultView",
    "EnergyView",
    "ExpectItemView",
    "ExpectResultView",
    "FleetView",
    "Invitation",
    "InviteRequest",
    "JobDetail",
    "JobKind",
    "JobRequest",
    "JobStatus",
    "JobView",
    "KernelRequest",
    "KernelResultView",
    "Label",
    "NoiseRequest",
    "PhiRequest",
    "PhiResultView",
    "Place",
    "Problem",
    "RegionView",
    "ResultView",
    "RevokeRequest",
    "SampleItemView",
    "SampleResultView",
    "SourceView",
    "StateView",
    "TaskCounts",
    "TaskView",
    "TelemetryGap",
    "TelemetrySample",
    "TelemetryView",
    "ValueView",
    "VariationalRequest",
    "VariationalResultView",
]

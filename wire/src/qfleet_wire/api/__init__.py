"""The HTTP API's requests and answers, shared by the control plane and the client.

Times are milliseconds since the epoch, UTC. Everything is JSON; ``kind`` and ``status`` values
are the ones of the machines' tables.
"""

from typing import TypeAlias

from qfleet_wire.api.amplitude import (
    AmplitudeProblem,
    AmplitudeRequest,
    AmplitudeResultView,
    EstimateView,
    RoundView,
)
from qfleet_wire.api.amplitudes import AmplitudeItemView, AmplitudesResultView, AmplitudeView
from qfleet_wire.api.annealing import AnnealRequest, AnnealResultView, EnergyView, Label, StateView
from qfleet_wire.api.asked import Asked
from qfleet_wire.api.dynamics import (
    DynamicsCollapse,
    DynamicsCurve,
    DynamicsGrid,
    DynamicsItemView,
    DynamicsRequest,
    DynamicsResultView,
    DynamicsSubsystem,
    DynamicsTerm,
)
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
from qfleet_wire.api.integration import DistinctionView, Number, PhiRequest, PhiResultView, PurviewView
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
from qfleet_wire.api.kernel import (
    AngleFeatureMap,
    FeatureMap,
    KernelRequest,
    KernelResultView,
    ZZFeatureMap,
)
from qfleet_wire.api.noise import NoiseRequest
from qfleet_wire.api.plans import MOST_PLANNED, PlannedDevice, PlannedTask, PlanView
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
from qfleet_wire.api.variational import (
    Coupling,
    CutCost,
    Edge,
    Field,
    HardwareEfficientAnsatz,
    IsingCost,
    PauliCost,
    QaoaAnsatz,
    QuboCost,
    StartView,
    StringView,
    VariationalRequest,
    VariationalResultView,
)
from qfleet_wire.noise import GateNoise, QubitNoise, ReadoutNoise

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
    | AmplitudesResultView
)

__all__ = [
    "FINISHED",
    "LOST_AFTER_S",
    "MAX_ATTEMPTS",
    "MOST_PLANNED",
    "AmplitudeItemView",
    "AmplitudeProblem",
    "AmplitudeRequest",
    "AmplitudeResultView",
    "AmplitudeView",
    "AmplitudesResultView",
    "AngleFeatureMap",
    "AnnealRequest",
    "AnnealResultView",
    "Asked",
    "Coupling",
    "CutCost",
    "DeviceStatus",
    "DeviceView",
    "DistinctionView",
    "DynamicsCollapse",
    "DynamicsCurve",
    "DynamicsGrid",
    "DynamicsItemView",
    "DynamicsRequest",
    "DynamicsResultView",
    "DynamicsSubsystem",
    "DynamicsTerm",
    "EchoResultView",
    "Edge",
    "EnergyView",
    "EstimateView",
    "ExpectItemView",
    "ExpectResultView",
    "FeatureMap",
    "Field",
    "FleetView",
    "GateNoise",
    "HardwareEfficientAnsatz",
    "Invitation",
    "InviteRequest",
    "IsingCost",
    "JobDetail",
    "JobKind",
    "JobRequest",
    "JobStatus",
    "JobView",
    "KernelRequest",
    "KernelResultView",
    "Label",
    "NoiseRequest",
    "Number",
    "PauliCost",
    "PhiRequest",
    "PhiResultView",
    "Place",
    "PlanView",
    "PlannedDevice",
    "PlannedTask",
    "Problem",
    "PurviewView",
    "QaoaAnsatz",
    "QubitNoise",
    "QuboCost",
    "ReadoutNoise",
    "RegionView",
    "ResultView",
    "RevokeRequest",
    "RoundView",
    "SampleItemView",
    "SampleResultView",
    "SourceView",
    "StartView",
    "StateView",
    "StringView",
    "TaskCounts",
    "TaskView",
    "TelemetryGap",
    "TelemetrySample",
    "TelemetryView",
    "ValueView",
    "VariationalRequest",
    "VariationalResultView",
    "ZZFeatureMap",
]

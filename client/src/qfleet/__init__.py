"""The Python SDK and the ``qfleet`` command: a fleet through the HTTP API of its control plane.

    from qfleet import Fleet, JobRequest

    with Fleet.from_configuration() as fleet:
        result = fleet.run(JobRequest(kind="circuit.sample", program=text, shots=1024))

Imports nothing of the control plane or the agent, and of the wire only specifications.
"""

from qfleet.errors import (
    JobFailed,
    LocalError,
    QFleetError,
    Refused,
    RemoteError,
    StillRunning,
    Unreachable,
    UserError,
)
from qfleet.fleet import Fleet
from qfleet.futures import JobFuture, submit
from qfleet.result import Result
from qfleet_wire.api import (
    FINISHED,
    AnnealRequest,
    AnnealResultView,
    DeviceView,
    EchoResultView,
    EnergyView,
    ExpectItemView,
    ExpectResultView,
    FleetView,
    Invitation,
    JobDetail,
    JobRequest,
    JobView,
    Place,
    Problem,
    ResultView,
    SampleItemView,
    SampleResultView,
    SourceView,
    StateView,
    TaskCounts,
    TaskView,
    ValueView,
)

__version__ = "0.2.0"

__all__ = [
    "FINISHED",
    "AnnealRequest",
    "AnnealResultView",
    "DeviceView",
    "EchoResultView",
    "EnergyView",
    "ExpectItemView",
    "ExpectResultView",
    "Fleet",
    "FleetView",
    "Invitation",
    "JobDetail",
    "JobFailed",
    "JobFuture",
    "JobRequest",
    "JobView",
    "LocalError",
    "Place",
    "Problem",
    "QFleetError",
    "Refused",
    "RemoteError",
    "Result",
    "ResultView",
    "SampleItemView",
    "SampleResultView",
    "SourceView",
    "StateView",
    "StillRunning",
    "TaskCounts",
    "TaskView",
    "Unreachable",
    "UserError",
    "ValueView",
    "__version__",
    "submit",
]

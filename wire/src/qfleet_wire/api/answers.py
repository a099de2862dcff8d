"""What a job answers: the result of any kind, and a run, which brings a job and its result at once."""

from typing import TypeAlias

import msgspec

from qfleet_wire.api.amplitude import AmplitudeResultView
from qfleet_wire.api.amplitudes import AmplitudesResultView
from qfleet_wire.api.annealing import AnnealResultView
from qfleet_wire.api.dynamics import DynamicsResultView
from qfleet_wire.api.integration import PhiResultView
from qfleet_wire.api.jobs import JobView
from qfleet_wire.api.kernel import KernelResultView
from qfleet_wire.api.results import EchoResultView, ExpectResultView, SampleResultView
from qfleet_wire.api.variational import VariationalResultView

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


class RunView(msgspec.Struct, frozen=True):
    """A job as it stood when it had finished or the time was up, and its result if it had succeeded."""

    job: JobView
    result: ResultView | None

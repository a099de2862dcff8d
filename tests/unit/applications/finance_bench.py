"""A desk that runs jobs on the engines of a device, and the problems of the literature."""

from collections.abc import Sequence

from tests.unit import workload_runs

from qfleet import JobRequest, ResultView
from qfleet_applications.finance.contracts import Asset, Contract
from qfleet_applications.finance.credit import Book, Loan

BOOK = Book((Loan("A", 0.15, 0.10, 1), Loan("B", 0.25, 0.05, 2)))
"""The book of the credit risk tutorial of Qiskit Finance."""
CALL = Contract("call", "call", (Asset(2.0, 0.4),), strike=1.896, rate=0.05, days=40.0)
"""The call of the option pricing tutorial of Qiskit Finance."""


class EngineDesk:
    """Compiles, plans, runs, checks and merges each job, without a fleet."""

    def __init__(self) -> None:
        self.requests: list[JobRequest] = []

    def run(self, request: JobRequest, label: str = "") -> ResultView:
        assert label, "people see what is under way"
        self.requests.append(request)
        return workload_runs.run(request).view

    def run_all(self, requests: Sequence[JobRequest], label: str = "") -> tuple[ResultView, ...]:
        return tuple(self.run(request, label) for request in requests)

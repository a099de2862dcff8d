"""A desk without a fleet: every job goes its whole way on this machine, but for transport."""

from collections.abc import Sequence

from tests.unit import workload_runs

from qfleet import JobRequest, ResultView


class Here:
    """Runs jobs at once; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[JobRequest] = []

    def run(self, request: JobRequest, label: str = "") -> ResultView:
        return self.run_all((request,), label)[0]

    def run_all(self, requests: Sequence[JobRequest], label: str = "") -> tuple[ResultView, ...]:  # noqa: ARG002 - as a desk
        self.asked += requests
        return tuple(workload_runs.run(request).view for request in requests)

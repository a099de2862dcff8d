"""A desk without a fleet: every job goes its whole way in this process, but for transport."""

from collections.abc import Sequence

from tests.unit import workload_runs

from qfleet import JobRequest, ResultView


class Local:
    """Runs each job at once; ``requests`` are those that it was given."""

    def __init__(self) -> None:
        self.requests: list[JobRequest] = []

    def run(self, request: JobRequest, label: str = "") -> ResultView:
        return self.run_all((request,), label)[0]

    def run_all(self, requests: Sequence[JobRequest], label: str = "") -> tuple[ResultView, ...]:  # noqa: ARG002 - the protocol has it
        self.requests += requests
        return tuple(workload_runs.run(request).view for request in requests)

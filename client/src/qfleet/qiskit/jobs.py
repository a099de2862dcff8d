"""A handle to the jobs of a fleet that one call of a primitive became."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from qiskit.primitives import BasePrimitiveJob, PrimitiveResult
from qiskit.providers import JobStatus

from qfleet.futures import JobFuture
from qfleet.result import Result


class PrimitivesJob(BasePrimitiveJob[PrimitiveResult[Any], JobStatus]):
    """Runs until all its jobs on the fleet have ended. Its id is that of the first of them."""

    def __init__(
        self, futures: Sequence[JobFuture], assemble: Callable[[list[Result]], PrimitiveResult[Any]]
    ) -> None:
        super().__init__(futures[0].id if futures else "none")
        self.futures = tuple(futures)
        self._assemble = assemble
        self._result: PrimitiveResult[Any] | None = None

    def result(self) -> PrimitiveResult[Any]:
        """Wait for all results; raises what ``Fleet.run`` raises."""
        if self._result is None:
            self._result = self._assemble([future.result() for future in self.futures])
        return self._result

    def status(self) -> JobStatus:
        """Status of all jobs together."""
        return status_of(self.futures)

    def done(self) -> bool:
        """Whether all have succeeded."""
        return self.status() is JobStatus.DONE

    def running(self) -> bool:
        """Whether some have not ended."""
        return self.status() is JobStatus.RUNNING

    def cancelled(self) -> bool:
        """Whether one was cancelled."""
        return self.status() is JobStatus.CANCELLED

    def in_final_state(self) -> bool:
        """Whether all have ended."""
        return all(future.done() for future in self.futures)

    def cancel(self) -> None:
        """Cancel what has not ended, on the fleet too."""
        for future in self.futures:
            future.cancel()


def status_of(futures: Sequence[Future[Any]]) -> JobStatus:
    """Put the states of several futures in one word of Qiskit's."""
    if not all(future.done() for future in futures):
        return JobStatus.RUNNING
    if any(future.cancelled() for future in futures):
        return JobStatus.CANCELLED
    failed = any(future.exception() is not None for future in futures)
    return JobStatus.ERROR if failed else JobStatus.DONE

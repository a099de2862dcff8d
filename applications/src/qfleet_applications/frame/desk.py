"""A fleet as packs use it: jobs with a progress that people see, cancelled together when they give up."""

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol, TypeAlias, TypeVar

from qfleet import Fleet, JobFailed, JobRequest, QFleetError, ResultView, Unreachable
from qfleet_applications.errors import UnexpectedResult

Progress: TypeAlias = Callable[[str, float], object]
"""Told what is under way and which share of it is done, 0 to 1."""

View = TypeVar("View", bound=ResultView)


class Runner(Protocol):
    """What a pack needs of a fleet; a ``Desk`` is one."""

    def run(self, request: JobRequest, label: str = "") -> ResultView:
        """Run a job to its end and return its result."""

    def run_all(self, requests: Sequence[JobRequest], label: str = "") -> tuple[ResultView, ...]:
        """Run jobs side by side and return their results in order."""


class Desk:
    """Runs a study's jobs on a fleet and remembers them; ``seconds`` is the wall clock that they took."""

    def __init__(
        self,
        fleet: Fleet,
        *,
        progress: Progress | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._fleet = fleet
        self._progress = progress
        self._clock = clock
        self._jobs: list[str] = []
        self.cancelled: list[str] = []
        """Jobs that were cancelled, in order."""
        self.left: list[str] = []
        """Jobs that were to be cancelled while the control plane did not answer: they may run on."""
        self.seconds = 0.0

    @property
    def jobs(self) -> tuple[str, ...]:
        """The ids of all jobs so far."""
        return tuple(self._jobs)

    def run(self, request: JobRequest, label: str = "") -> ResultView:
        """Run a job to its end and return its result. Raises ``JobFailed`` and what ``Fleet.submit`` does."""
        return self.run_all((request,), label)[0]

    def run_all(self, requests: Sequence[JobRequest], label: str = "") -> tuple[ResultView, ...]:
        """Run jobs side by side and return their results in order; whatever ends this cancels what runs."""
        began = self._clock()
        started: list[str] = []
        done = 0
        try:
            # one by one: what was submitted before an error is to be cancelled
            for request in requests:
                started.append(self._submitted(request))  # noqa: PERF401 - as above
            self._jobs += started
            for job in started:
                self._finish(job, label or requests[done].name, done, len(started))
                done += 1
        except BaseException:
            # whoever gives up wants the devices back; the error itself is what must be seen
            for job in started[done:]:
                self._cancel(job)
            raise
        finally:
            self.seconds += self._clock() - began
        return tuple(self._fleet.result(job) for job in started)

    def _submitted(self, request: JobRequest) -> str:
        key = secrets.token_hex(16)
        try:
            return self._fleet.submit(request, key=key).id
        except KeyboardInterrupt:
            # it may be stored by now: the same key asks for the same job, which can be cancelled then
            with suppress(QFleetError):
                self._cancel(self._fleet.submit(request, key=key).id)
            raise

    def _finish(self, job: str, label: str, before: int, number: int) -> None:
        if self._progress is None:
            detail = self._fleet.wait(job)
        else:
            for detail in self._fleet.watch(job):
                self._progress(label, (before + detail.job.progress) / number)
            self._progress(label, (before + 1) / number)
        if detail.job.status != "succeeded":
            raise JobFailed(detail)

    def _cancel(self, job: str) -> None:
        try:
            self._fleet.cancel(job)
        except Unreachable:
            self.left.append(job)
        except QFleetError:
            return  # it has ended: the first error says more
        else:
            self.cancelled.append(job)


def expect(result: ResultView, kind: type[View]) -> View:
    """A result as the kind that was asked for.

    Raises:
        UnexpectedResult: it is of another.
    """
    if not isinstance(result, kind):
        raise UnexpectedResult(f"asked for {kind.__name__}, got {type(result).__name__}")
    return result

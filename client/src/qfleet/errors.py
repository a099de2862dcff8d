"""The exception tree of the client, split into "we misused it" and "they answered otherwise".

Every error carries the exit code that the ``qfleet`` command ends with, so that scripts and the
SDK agree on what happened. No message ever holds a token.
"""

import re
from pathlib import Path

from qfleet import wording
from qfleet_wire import api


class QFleetError(Exception):
    """Base of every error that qfleet raises; its docstring is the default message."""

    exit_code = 1

    def __init__(self, message: str | None = None, *, hint: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or type(self).__name__))
        self.hint = hint
        if hint:
            self.add_note(f"hint: {hint}")  # tracebacks of programs that use the SDK show it

    @property
    def problem(self) -> api.Problem:
        """The error in the form in which the API reports its own."""
        code = re.sub(r"(?<!^)(?=[A-Z])", "-", type(self).__name__).lower()
        return api.Problem(code=code, message=str(self), hint=self.hint)


class LocalError(QFleetError):
    """What was asked cannot be asked like this."""

    exit_code = 2


class RemoteError(QFleetError):
    """The control plane did not do what was asked."""


class UserError(LocalError, ValueError):
    """An argument, a file or a setting is not usable."""


class StillRunning(LocalError, TimeoutError):
    """The job has not finished within the time given to wait for it."""


class Refused(RemoteError):
    """The control plane refused a request; ``problem`` says what, where, and what to do."""

    exit_code = 3

    def __init__(self, problem: api.Problem, *, status: int) -> None:
        super().__init__(_placed(problem), hint=problem.hint)
        self.status = status
        self._problem = problem

    @property
    def problem(self) -> api.Problem:
        """The control plane's own words."""
        return self._problem


def _placed(problem: api.Problem) -> str:
    """Name the field or the place where the message does not: it is often all that a program shows."""
    if problem.field and problem.field in problem.message:
        return problem.message
    if problem.where is not None:
        within = f"{problem.field}, " if problem.field else ""
        return f"{within}line {problem.where.line}, column {problem.where.column}: {problem.message}"
    return f"{problem.field}: {problem.message}" if problem.field else problem.message


class Unreachable(RemoteError):
    """No control plane answered."""

    exit_code = 4

    def __init__(self, message: str | None = None, *, hint: str = "", uncertain: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.uncertain = uncertain
        """The request went out and its answer was lost: what it asked for may have happened."""


class JobFailed(RemoteError):
    """A job ended without its whole result; ``detail`` has its tasks and their errors."""

    exit_code = 5

    def __init__(self, detail: api.JobDetail) -> None:
        job = detail.job
        reasons = "; ".join(job.errors) or "no reason was given"
        super().__init__(
            f"job {job.id} {_ENDED.get(job.status, 'ended as ' + job.status)}: {reasons}",
            hint=f"`qfleet job show {job.id}` lists its tasks and their errors",
        )
        self.detail = detail

    @property
    def cancelled(self) -> bool:
        """Whether somebody cancelled it."""
        return self.detail.job.status == "cancelled"


_ENDED = {
    "failed": "failed",
    "cancelled": "was cancelled",
    "partial": "has only a part of its result",
}


class BundleWrong(RemoteError):
    """A provenance bundle does not hold."""

    exit_code = 3

    def __init__(self, findings: int) -> None:
        are = "is" if findings == 1 else "are"
        things = wording.counted(findings, "thing")
        super().__init__(f"{things} in the bundle {are} not right: it proves nothing")


class DemoFailed(RemoteError):
    """A part of the demo did not do its work; ``log`` is where it says why."""

    def __init__(self, message: str, *, log: Path) -> None:
        super().__init__(message, hint=f"its log is {log}")
        self.log = log

"""Jobs as futures: ``submit`` returns at once, and the future is waited for or awaited.

One class serves both ways: it is a ``concurrent.futures.Future`` that an ``await`` understands too. A
thread of its own submits each job and follows it. The interpreter does not end before what was
submitted is stored by the control plane; a job that is stored goes on without anybody.
"""

import concurrent.futures
import logging
import threading
from collections.abc import Callable, Generator
from typing import Any

from qfleet import errors
from qfleet.fleet import Fleet
from qfleet.result import Result
from qfleet_wire import api

log = logging.getLogger(__name__)

Progress = Callable[[api.JobView], object]


def submit(
    work: api.JobRequest | str,
    /,
    *,
    fleet: Fleet | None = None,
    on_progress: Progress | None = None,
    **fields: Any,
) -> "JobFuture":
    """Submit a job and return its future at once.

    ``work`` is a request, or the text of a program; ``fields`` are those of ``JobRequest`` and go before what
    the request says. A program is evaluated where ``observables`` are given, else sampled, 1024 times
    unless ``shots`` says otherwise. Without a ``fleet`` the environment and the configuration file say which.
    ``on_progress`` is called with the job's view after each change, in the thread that follows the job.

    Raises:
        UserError: what is given is no job, a field is unknown, or there is no configuration. All else is
            raised by the future.
    """
    if on_progress is not None and not callable(on_progress):
        raise errors.UserError(f"on_progress is {on_progress!r}", hint="give a function that takes a view")
    request = _request(work, fields)
    return JobFuture(fleet or Fleet.from_configuration(), request, on_progress, owned=fleet is None)


def _request(work: api.JobRequest | str, fields: dict[str, Any]) -> api.JobRequest:
    if isinstance(work, str):
        base: dict[str, Any] = {"program": work, "kind": "circuit.sample", "shots": 1024}
        if fields.get("observables"):
            base |= {"kind": "circuit.expect", "shots": 0}
    elif isinstance(work, api.JobRequest):
        base = {name: getattr(work, name) for name in work.__struct_fields__}
    else:
        raise errors.UserError(
            f"{type(work).__name__} is no job",
            hint="give a JobRequest(kind=…, work=…), or the text of a program",
        )
    try:
        return api.JobRequest(**base | fields)
    except TypeError as error:
        raise errors.UserError(str(error), hint="use the fields of JobRequest") from error


class JobFuture(concurrent.futures.Future[Result]):
    """The result of a job that runs; it raises what ``Fleet.run`` raises."""

    def __init__(
        self, fleet: Fleet, request: api.JobRequest, on_progress: Progress | None, *, owned: bool
    ) -> None:
        super().__init__()
        self._fleet = fleet
        self._owned = owned
        self._request = request
        self._on_progress = on_progress
        self._id: str | None = None
        self._known = threading.Event()
        self._cancelling = False
        self._asking = threading.Lock()
        self._last: api.JobView | None = None
        threading.Thread(target=self._submit, name="qfleet submit").start()

    def __await__(self) -> Generator[Any, None, Result]:
        return self._awaited().__await__()

    @property
    def id(self) -> str:
        """The job's id; waits until the control plane has stored it."""
        self._known.wait()
        if self._id is None:
            self.result()  # raises what went wrong
            raise errors.UserError("the job was cancelled before it was submitted")
        return self._id

    @property
    def view(self) -> api.JobView | None:
        """How the job stood last; None before it is stored."""
        return self._last

    def cancel(self) -> bool:
        """Cancel the job itself; return whether that was possible. Waits for the control plane's answer."""
        if self.done():
            return self.cancelled()
        self._known.wait()
        self._cancelling = True
        with self._asking:
            if self._id is not None and not self.done():
                self._cancelling = self._fleet.cancel(self._id).status == "cancelled"
        if not self._cancelling:
            return False
        return super().cancel() or self.cancelled()

    # ── in threads of their own ──────────────────────────────────────────────────────────────

    def _submit(self) -> None:
        try:
            self._last = self._fleet.submit(self._request)
            self._id = self._last.id
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it, whatever it is
            self._end(error)
            return
        finally:
            self._known.set()
        # What is stored goes on by itself: the interpreter need not wait for this one.
        threading.Thread(target=self._follow, args=(self._id,), name="qfleet follow", daemon=True).start()

    def _follow(self, job: str) -> None:
        try:
            self._end(self._outcome(job))
        except BaseException as error:  # noqa: BLE001 - as above
            self._end(error)

    def _outcome(self, job: str) -> Result:
        detail = None
        for detail in self._fleet.watch(job):
            self._tell(detail.job)
        if detail is not None and detail.job.status != "succeeded":
            raise errors.JobFailed(detail)
        return Result(self._fleet.result(job))

    def _tell(self, view: api.JobView) -> None:
        self._last = view
        if self._on_progress is None:
            return
        try:
            self._on_progress(view)
        except Exception:
            log.exception("The progress callback of job %s failed.", view.id)

    def _end(self, outcome: Result | BaseException) -> None:
        with self._asking:  # whoever cancels may wait for an answer on the connection that this closes
            self._settle(outcome)
            if self._owned:
                self._fleet.close()

    def _settle(self, outcome: Result | BaseException) -> None:
        # Whoever follows may hear that the job is cancelled before the one who cancels it.
        if self._cancelling and isinstance(outcome, errors.JobFailed) and outcome.cancelled:
            super().cancel()
        # One that was cancelled has its end already.
        if not self.set_running_or_notify_cancel():
            return
        if isinstance(outcome, Result):
            self.set_result(outcome)
        else:
            self.set_exception(outcome)

    # ── in an event loop ─────────────────────────────────────────────────────────────────────

    async def _awaited(self) -> Result:
        import asyncio  # noqa: PLC0415 - the command imports this module and has no event loop

        try:
            return await asyncio.shield(asyncio.wrap_future(self))
        except asyncio.CancelledError:
            if not self.done():
                # Asks the control plane, which the loop must not wait for.
                threading.Thread(target=self._cancel_quietly, name="qfleet cancel").start()
            raise

    def _cancel_quietly(self) -> None:
        try:
            self.cancel()
        except errors.QFleetError as error:
            log.warning("Job %s could not be cancelled: %s", self._id, error)

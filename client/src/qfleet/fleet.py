"""The SDK: one object that speaks for a user with a control plane, synchronously.

It decides nothing and keeps nothing but its connection: what a job is and how it stands is
always the control plane's answer. A submission whose answer was lost is repeated under its key, under
which the control plane stores one job; other changes are never repeated by themselves, questions are.
"""

import time
import weakref
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import quote

from qfleet import configuration, errors, outage, repeating
from qfleet_wire import api

if TYPE_CHECKING:
    from qfleet.keys import Keys
    from qfleet.network import Network

T = TypeVar("T")

_API = "api/v1"
_POLL_S = 20.0
"""How long the control plane may hold back an answer while a job runs."""
_STEP_S = 1.0
"""The same where somebody watches and no events stream."""
_SILENCE_S = 30.0
"""An event stream that is silent for longer is opened again."""


_UNKNOWN_ROUTE = (404, 405)
"""What a control plane of before says of a route that it does not have."""


class Fleet:
    """A fleet, seen through the HTTP API of its control plane.

    ``timeout_s`` bounds each request; ``patience_s`` is how long ``wait`` and ``watch`` bridge an
    outage of the control plane, and ``submit`` one that took its answer. Every method
    raises ``Refused`` or ``Unreachable``.
    """

    def __init__(self, url: str, token: str, *, timeout_s: float = 30.0, patience_s: float = 60.0) -> None:
        # httpx takes longer to import than most commands take to run
        from qfleet import transport  # noqa: PLC0415

        self._connection = transport.Connection(url, token, timeout_s=timeout_s)
        self._patience_s = patience_s
        # One that nobody closes, such as a sampler's own, ends with its owner.
        self._closing = weakref.finalize(self, self._connection.close)

    @classmethod
    def from_configuration(cls) -> Self:
        """Connect as the environment and the configuration file say."""
        settings = configuration.load()
        return cls(settings.url, settings.token)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Fleet({self._connection.url!r})"

    @property
    def url(self) -> str:
        """Where the control plane is."""
        return self._connection.url

    @property
    def network(self) -> "Network":
        """The quantum network."""
        from qfleet.network import Network  # noqa: PLC0415 - as above

        return Network(self._connection)

    @property
    def keys(self) -> "Keys":
        """Keys between devices: links, sessions, relays and alarms."""
        from qfleet.keys import Keys  # noqa: PLC0415 - as above

        return Keys(self._connection, patience_s=self._patience_s)

    def close(self) -> None:
        """Close the connection."""
        self._closing()

    # ── the fleet and its devices ────────────────────────────────────────────────────────────

    def overview(self) -> api.FleetView:
        """Name, version, broker and counts of the fleet."""
        answer: api.FleetView = self._connection.get(f"{_API}/fleet", api.FleetView)
        return answer

    def devices(self) -> tuple[api.DeviceView, ...]:
        """All devices that were ever invited."""
        answer: tuple[api.DeviceView, ...] = self._connection.get(
            f"{_API}/devices", tuple[api.DeviceView, ...]
        )
        return answer

    def device(self, name: str) -> api.DeviceView:
        """One device."""
        answer: api.DeviceView = self._connection.get(_path("devices", name), api.DeviceView)
        return answer

    def telemetry(self, name: str, *, since: int = 0, limit: int = 500) -> api.TelemetryView:
        """What a device measured last, at most ``limit`` samples and not before ``since`` (ms since 1970)."""
        answer: api.TelemetryView = self._connection.get(
            f"{_path('devices', name, 'telemetry')}?since={since}&limit={limit}", api.TelemetryView
        )
        return answer

    def regions(self) -> tuple[api.RegionView, ...]:
        """All regions, and who leads them."""
        answer: tuple[api.RegionView, ...] = self._connection.get(
            f"{_API}/regions", tuple[api.RegionView, ...]
        )
        return answer

    def invite(self, device: str, *, valid_s: float = 3600.0, region: str | None = None) -> api.Invitation:
        """Make a one-time join token for a new device, good for ``valid_s`` seconds.

        ``region`` is where it shall join; it may be left out where there is one region.
        """
        request = api.InviteRequest(device=device, valid_s=valid_s, region=region)
        answer: api.Invitation = self._connection.post(f"{_API}/devices", request, api.Invitation)
        return answer

    def revoke(self, device: str, reason: str) -> api.DeviceView:
        """Shut a device out for good; ``reason`` stands in the audit log."""
        return self._take_out(device, "revoke", reason)

    def quarantine(self, device: str, reason: str) -> api.DeviceView:
        """Take a device out of service until it is released; its tasks go to others."""
        return self._take_out(device, "quarantine", reason)

    def retire(self, device: str, reason: str) -> api.DeviceView:
        """Take a device out of the fleet in good order, with its name."""
        return self._take_out(device, "retire", reason)

    def release(self, device: str) -> api.DeviceView:
        """End a device's quarantine."""
        answer: api.DeviceView = self._connection.post(
            _path("devices", device, "release"), None, api.DeviceView
        )
        return answer

    def _take_out(self, device: str, how: str, reason: str) -> api.DeviceView:
        request = api.RevokeRequest(reason=reason)
        answer: api.DeviceView = self._connection.post(_path("devices", device, how), request, api.DeviceView)
        return answer

    # ── jobs ─────────────────────────────────────────────────────────────────────────────────

    def submit(self, request: api.JobRequest, *, key: str | None = None) -> api.JobView:
        """Submit a job; when this returns, the job is stored for good, and once.

        ``key`` (1 to 64 printable ASCII characters) is drawn unless it is given. Whoever keeps one may submit
        the same request again, from another process too, and gets the same job.
        """
        key = repeating.fresh_key() if key is None else key

        def submitted() -> api.JobView:
            answer: api.JobView = self._connection.post(f"{_API}/jobs", request, api.JobView, key=key)
            return answer

        return repeating.once(submitted, patience_s=self._patience_s)

    def plan(self, request: api.JobRequest) -> api.PlanView:
        """Say how a job would split, who would run it and how long that would take; submit nothing."""
        answer: api.PlanView = self._connection.post(f"{_API}/plans", request, api.PlanView)
        return answer

    def jobs(self, *, limit: int = 50, status: api.JobStatus | None = None) -> tuple[api.JobView, ...]:
        """The newest ``limit`` jobs, of one status where it is given."""
        query = {"limit": str(limit)} | ({} if status is None else {"status": status})
        answer: tuple[api.JobView, ...] = self._connection.get(
            f"{_API}/jobs", tuple[api.JobView, ...], query=query
        )
        return answer

    def job(self, job: str, *, wait_s: float = 0.0) -> api.JobDetail:
        """How a job stands; ``wait_s`` lets the answer wait until it has finished, at most so long."""
        query = {"wait_s": f"{wait_s:g}"} if wait_s > 0 else None
        answer: api.JobDetail = self._connection.get(
            _path("jobs", job), api.JobDetail, query=query, wait_s=wait_s
        )
        return answer

    def wait(self, job: str, *, timeout_s: float | None = None) -> api.JobDetail:
        """Wait until a job has finished, in whatever way.

        Raises:
            StillRunning: ``timeout_s`` seconds went by before it had.
        """
        end = None if timeout_s is None else time.monotonic() + timeout_s
        patience = outage.Patience(self._patience_s)
        while True:
            left = _POLL_S if end is None else min(_POLL_S, end - time.monotonic())
            detail = self._asked(job, wait_s=max(left, 0.0), patience=patience)
            if detail is not None and detail.job.status in api.FINISHED:
                return detail
            if end is not None and time.monotonic() >= end:
                raise errors.StillRunning(
                    f"job {job} has not finished within {timeout_s:g} s", hint=f"`qfleet job watch {job}`"
                )

    def watch(self, job: str) -> Iterator[api.JobDetail]:
        """Yield how a job stands, now and after each change, until it has finished.

        Changes come as server-sent events, and by asking where events do not get through.
        """
        patience = outage.Patience(self._patience_s)
        last: api.JobDetail | None = None
        streaming = True
        while last is None or last.job.status not in api.FINISHED:
            pause_s = 0.0 if streaming or last is None else _STEP_S
            detail = self._asked(job, wait_s=pause_s, patience=patience)
            if detail is None:
                continue
            if detail != last:
                last = detail
                yield last
            if streaming and last.job.status not in api.FINISHED:
                streaming = False
                for change in self._changes(job):
                    streaming = True
                    if change != last:
                        last = change
                        yield last

    def result(self, job: str, *, wait_s: float = 0.0) -> api.ResultView:
        """The result of a finished job; ``wait_s`` waits so long for it to finish."""
        query = {"wait_s": f"{wait_s:g}"} if wait_s > 0 else None
        answer: api.ResultView = self._connection.get(
            _path("jobs", job, "result"), api.ResultView, query=query, wait_s=wait_s
        )
        return answer

    def provenance(self, job: str) -> bytes:
        """The provenance bundle of a finished job: a file for ``qfleet verify``."""
        return self._connection.get_bytes(_path("jobs", job, "provenance"))

    def run(self, request: api.JobRequest, *, timeout_s: float | None = None) -> api.ResultView:
        """Submit a job, wait for it and return its result.

        Raises:
            JobFailed: it ended without its whole result.
            StillRunning: it has not finished within ``timeout_s`` seconds; it goes on.
        """
        end = None if timeout_s is None else time.monotonic() + timeout_s
        ran = self._ran(request, end)
        if ran.result is not None:
            return ran.result
        detail = self.wait(ran.job.id, timeout_s=None if end is None else max(end - time.monotonic(), 0.0))
        if detail.job.status != "succeeded":
            raise errors.JobFailed(detail)
        return self.result(ran.job.id)

    def cancel(self, job: str) -> api.JobView:
        """Cancel a job; its running tasks are stopped."""
        answer: api.JobView = self._connection.post(_path("jobs", job, "cancel"), None, api.JobView)
        return answer

    def _ran(self, request: api.JobRequest, end: float | None) -> api.RunView:
        """Submit a job and wait for it, in one request where the control plane knows how."""
        key = repeating.fresh_key()

        def ran() -> api.RunView:
            left = _POLL_S if end is None else min(_POLL_S, max(end - time.monotonic(), 0.0))
            answer: api.RunView = self._connection.post(
                f"{_API}/runs?wait_s={left:g}", request, api.RunView, key=key, wait_s=left
            )
            return answer

        try:
            return repeating.once(ran, patience_s=self._patience_s)
        except errors.Refused as error:
            if error.status not in _UNKNOWN_ROUTE:
                raise
            return api.RunView(self.submit(request, key=key), None)

    def _asked(self, job: str, *, wait_s: float, patience: outage.Patience) -> api.JobDetail | None:
        """Ask how a job stands; None after a pause when nothing answered and patience lasts."""
        try:
            detail = self.job(job, wait_s=wait_s)
        except errors.Unreachable as error:
            time.sleep(patience.failure(error, time.monotonic()))
            return None
        patience.success()
        return detail

    def _changes(self, job: str) -> Iterator[api.JobDetail]:
        """Yield changes for as long as the event stream lasts; an end of it is no error."""
        try:
            for event in self._connection.events(_path("jobs", job, "events"), silence_s=_SILENCE_S):
                if event.name == "job":
                    yield self._connection.decode(event.data, api.JobDetail)
        except (errors.Unreachable, errors.Refused):
            return


def _path(*segments: str) -> str:
    if not all(segments):
        hint = "`qfleet job list` and `qfleet device list` show them"
        raise errors.UserError("an id or a name is empty", hint=hint)
    return "/".join([_API, *(quote(segment, safe="") for segment in segments)])

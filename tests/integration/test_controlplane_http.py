"""The HTTP layer over a real socket, with stand-ins behind it that remember what they were asked."""

import asyncio
import contextlib
import dataclasses
import datetime as dt
import ipaddress
import json
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from litestar import Litestar

from qfleet_controlplane import settings
from qfleet_controlplane.api import application, server
from qfleet_controlplane.api.backends import Backends
from qfleet_controlplane.authority.roles import Caller, Role
from qfleet_controlplane.errors import ConfigurationError, Conflict, InvalidRequest, NotFound
from qfleet_controlplane.planning.plan import PlanRefused
from qfleet_wire import api
from qfleet_wire.api import keys, network
from qfleet_wire.names import DeviceName, JobId, Millis

SECRETS = {"v" * 64: Role.VIEWER, "o" * 64: Role.OPERATOR, "a" * 64: Role.ADMIN}
VIEWER, OPERATOR, ADMIN = ({"Authorization": f"Bearer {token}"} for token in SECRETS)


def view(status: api.JobStatus) -> api.JobView:
    finished = Millis(2) if status in api.FINISHED else None
    return api.JobView(
        "j1", "", "probe.echo", status, Millis(1), finished, 1, 0.0, api.TaskCounts(), (), (), ()
    )  # fmt: skip


class Tokens:
    async def caller_of(self, token: str) -> Caller | None:
        role = SECRETS.get(token)
        return None if role is None else Caller(role.name.lower(), role)


class Jobs:
    """One job, ``j1``, whose status tests set; ``broken`` fails as nothing should."""

    def __init__(self) -> None:
        self.status: api.JobStatus = "running"
        self.version = 1
        self.changed = asyncio.Event()
        self.submitted: list[tuple[api.JobRequest, str, str | None]] = []
        self.asked: list[tuple[object, ...]] = []
        self.waits = 0

    def change(self, status: api.JobStatus) -> None:
        self.status, self.version = status, self.version + 1
        self.changed.set()

    async def submit(self, request: api.JobRequest, who: str, key: str | None) -> api.JobView:
        self.submitted.append((request, who, key))
        if request.name == "too wide":
            raise PlanRefused("d: 40 qubits are over its 26", "make the job smaller")
        return view("planned")

    async def plan(self, request: api.JobRequest, who: str) -> api.PlanView:
        self.asked.append(("plan", request.kind, who))
        if request.name == "too wide":
            raise PlanRefused("d: 40 qubits are over its 26", "make the job smaller")
        return api.PlanView("probe.echo", "", 1, 0, 1, 0, 0, 0.5, None, ("one task",), (), (), ())

    async def cancel(self, job: JobId, reason: str, who: str) -> api.JobView:
        self.asked.append(("cancel", job, reason, who))
        self.change("cancelled")
        return view(self.status)

    async def jobs(self, limit: int, status: api.JobStatus | None) -> Sequence[api.JobView]:
        self.asked.append(("jobs", limit, status))
        return [view(self.status)]

    async def job(self, job: JobId) -> api.JobDetail:
        if job == "broken":
            raise RuntimeError("hunter2")
        if job != "j1":
            raise NotFound(f"there is no job {job!r}")
        return api.JobDetail(view(self.status), ())

    async def view(self, job: JobId) -> api.JobView:
        return (await self.job(job)).job

    async def wait_for_end(self, job: JobId, timeout_s: float) -> api.JobView:
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        while (found := await self.view(job)).status not in api.FINISHED and loop.time() < end:
            await self.wait_for_change(job, self.version, end - loop.time())
        return found

    async def result(self, job: JobId) -> api.ResultView:
        if self.status == "succeeded":
            return api.EchoResultView(job, self.status, 1, ())
        raise Conflict(f"job {job} is {self.status}: wait until it is finished")

    async def wait_for_change(self, job: JobId, seen: int, timeout_s: float) -> int:
        self.waits += 1
        self.asked.append(("wait", job))
        if seen == self.version:
            self.changed.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self.changed.wait()
            except TimeoutError:
                pass
        return self.version


class Devices:
    async def devices(self) -> Sequence[api.DeviceView]:
        return [await self.device(DeviceName("d"))]

    async def device(self, device: DeviceName) -> api.DeviceView:
        return api.DeviceView(name=device, region="r", status="online")

    async def invite(self, request: api.InviteRequest, who: str) -> api.Invitation:
        return api.Invitation(request.device, f"qf1-made-for-{who}", Millis(9))

    async def telemetry(self, device: DeviceName, since: Millis, limit: int) -> api.TelemetryView:
        raise NotFound(f"{device!r} has not measured {limit} times since {since}")

    async def revoke(self, device: DeviceName, reason: str, who: str) -> api.DeviceView:
        return _decided(device, "revoked", f"{who}: {reason}")

    async def quarantine(self, device: DeviceName, reason: str, who: str) -> api.DeviceView:
        return _decided(device, "quarantined", f"{who}: {reason}")

    async def release(self, device: DeviceName, who: str) -> api.DeviceView:
        return _decided(device, "online", who)

    async def retire(self, device: DeviceName, reason: str, who: str) -> api.DeviceView:
        return _decided(device, "retired", f"{who}: {reason}")


def _decided(device: DeviceName, status: api.DeviceStatus, reason: str) -> api.DeviceView:
    return api.DeviceView(name=device, region="r", status=status, reason=reason)


class Fleet:
    def __init__(self, missing: list[str]) -> None:
        self._missing = missing

    async def overview(self) -> api.FleetView:
        return api.FleetView("f", "r", "0", "mqtt://b", 1, 1, 0)

    async def regions(self) -> Sequence[api.RegionView]:
        return []

    async def metrics(self) -> str:
        return "qfleet_up 1\n"

    def unready(self) -> Sequence[str]:
        return self._missing


class Notary:
    async def bundle(self, job: JobId) -> bytes:
        if job != "j1":
            raise NotFound(f"there is no job {job!r}")
        return b"signed"


class NoNetwork:
    """No scenario is loaded."""

    async def shipped(self) -> Sequence[network.ShippedScenario]:
        return [network.ShippedScenario(name="metro-ring", title="six nodes")]

    async def text(self, name: str) -> network.ScenarioText:
        raise NotFound(f"no scenario {name!r} ships")

    async def load(self, request: network.ScenarioRequest, who: str) -> network.NetworkView:
        raise InvalidRequest(f"{request.source} of {who}, line 3: 'latitude_deg' is 91: it lies in [-90, 90]")

    async def overview(self) -> network.NetworkView:
        raise NotFound("no scenario is loaded")

    async def passes(self, satellite: str, site: str, limit: int) -> network.PassesView:
        raise NotFound(f"no scenario is loaded for {limit} passes of {satellite!r} over {site!r}")

    async def contacts(self, a: str, b: str, limit: int) -> network.ContactsView:
        raise NotFound(f"no scenario is loaded for {limit} contacts of {a!r} and {b!r}")

    async def routes(self, request: network.RouteRequest) -> network.RoutesView:
        return network.RoutesView(routes=(), reason=f"{request.a} is no node", epoch=Millis(0))

    async def entanglement(self, request: network.EntanglementRequest) -> network.EntanglementView:
        raise InvalidRequest(f"a fidelity of {request.fidelity:g} cannot be reached")

    async def plan(self) -> network.KeyPlanView:
        raise NotFound("no scenario is loaded")

    async def simulate(self, request: network.SimulationRequest, who: str) -> network.TwinView:
        raise NotFound(f"no scenario is loaded that {who} could run {request.speed:g} times as fast")

    async def stop(self, who: str) -> network.TwinView:
        raise NotFound(f"no scenario is loaded that {who} could stop")

    async def fault(self, request: network.FaultRequest, who: str) -> network.TwinView:
        raise NotFound(f"no scenario is loaded whose link {who} could let be {request.fault}")

    async def twin(self) -> network.TwinView:
        raise NotFound("no scenario is loaded")


class Keys:
    """One link, that of a and b, which is alarmed; c is beyond it."""

    async def links(self) -> Sequence[keys.KeyLinkView]:
        ends = (keys.KeyEndView(device="at-a"), keys.KeyEndView(device="at-b", all_bits=8, told=Millis(1)))
        link = keys.KeyLinkView(
            a="a", b="b", link="a|b", protocol="bb84", state="alarmed", reason="error-rate", simulated=True,
            expected_bits_per_s=2.5, ends=ends, low_water_bits=0, last_session=None,
        )  # fmt: skip
        return (link,)

    async def sessions(self, limit: int, link: str) -> Sequence[keys.KeySessionView]:
        raise InvalidRequest(f"{limit} sessions of {link}")

    async def session(self, name: str) -> keys.KeySessionDetail:
        raise NotFound(f"no session {name}")

    async def carried(self, name: str) -> keys.KeyRelayDetail:
        raise NotFound(f"no relay {name}")

    async def relays(self, limit: int) -> Sequence[keys.KeyRelayView]:
        raise InvalidRequest(f"{limit} relays")

    async def alarms(self, limit: int) -> Sequence[keys.KeyAlarmView]:
        return [
            keys.KeyAlarmView(at=Millis(limit), link="a|b", session="s", seen="count-rate", action="marked")
        ]

    async def exchange(
        self, request: keys.KeyExchangeRequest, actor: str, key: str | None
    ) -> keys.KeySessionView:
        raise Conflict(f"{actor}, {key}: the link of {request.a} and {request.b} stands still")

    async def relay(self, request: keys.KeyRelayRequest, actor: str, key: str | None) -> keys.KeyRelayView:
        return keys.KeyRelayView(
            relay="00", route=(request.a, "b", request.b), trusted=("b",), size=request.bytes,
            status="ordered", bits=0, reason=f"{actor} {key}", created=Millis(1), ended=None,
        )  # fmt: skip


class Site:
    def __init__(self, client: httpx.AsyncClient, jobs: Jobs, missing: list[str]) -> None:
        self.client, self.jobs, self.missing = client, jobs, missing


def backends(jobs: Jobs, missing: list[str]) -> Backends:
    return Backends(
        jobs=jobs,
        devices=Devices(),
        tokens=Tokens(),
        fleet=Fleet(missing),
        notary=Notary(),
        network=NoNetwork(),
        keys=Keys(),
    )


def make(jobs: Jobs, missing: list[str]) -> Litestar:
    return application.make(backends(jobs, missing), version="0", max_body_bytes=2000)


@asynccontextmanager
async def site(
    where: settings.Api | None = None, *, trust: ssl.SSLContext | None = None
) -> AsyncIterator[Site]:
    jobs, missing = Jobs(), list[str]()
    http = server.HttpServer(make(jobs, missing), where or settings.Api(port=0))
    await http.start()
    try:
        async with httpx.AsyncClient(base_url=http.url, verify=trust or True, timeout=10) as client:
            yield Site(client, jobs, missing)
    finally:
        await http.stop()


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    """The first application of a process takes half a second to make, which is not what is watched here."""

    async def once() -> Backends:
        return backends(Jobs(), [])

    application.make(asyncio.run(once()), version="0", max_body_bytes=2000)


def run(main: Callable[[Site], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30), site() as running:
            await main(running)

    asyncio.run(bounded())


@dataclasses.dataclass(frozen=True)
class Wrong:
    method: str
    path: str
    status: int
    words: str
    headers: dict[str, str] = dataclasses.field(default_factory=lambda: OPERATOR)
    content: str | None = None


KEY = "Idempotency-Key"
ECHO = '{"kind": "probe.echo"}'
ANNEAL = '{"kind": "anneal.sample", "work": {"kind": "anneal.sample", "model": {}, #}}'
WRONG = [
    Wrong("GET", "/api/v1/network", 404, "no scenario is loaded"),
    Wrong("GET", "/api/v1/network", 401, "Authorization: Bearer", headers={}),
    Wrong("POST", "/api/v1/network", 422, "line 3", content='{"text": "x"}'),
    Wrong("POST", "/api/v1/network", 403, "role operator", headers=VIEWER, content='{"name": "x"}'),
    Wrong("POST", "/api/v1/network", 400, "txt", content='{"txt": "x"}'),
    Wrong("GET", "/api/v1/network/passes?limit=0", 400, "limit"),
    Wrong("GET", "/api/v1/network/passes?satellite=m&site=x", 404, "1000 passes of 'm' over 'x'"),
    Wrong("POST", "/api/v1/network/simulation/stop", 404, "operator could stop"),
    Wrong("POST", "/api/v1/network/simulation", 403, "role operator", headers=VIEWER, content="{}"),
    Wrong("POST", "/api/v1/network/faults", 400, "broken", content='{"a": "x", "b": "y", "fault": "broken"}'),
    Wrong("GET", "/api/v1/keys/links", 401, "Authorization: Bearer", headers={}),
    Wrong(
        "POST", "/api/v1/keys/exchange", 403, "role operator", headers=VIEWER, content='{"a": "a", "b": "b"}'
    ),
    Wrong("POST", "/api/v1/keys/relay", 403, "role operator", headers=VIEWER, content='{"a": "a", "b": "c"}'),
    Wrong("POST", "/api/v1/keys/exchange", 409, "stands still", content='{"a": "a", "b": "b"}'),
    Wrong(
        "POST",
        "/api/v1/keys/exchange",
        400,
        "eavesdropper",
        content='{"a": "a", "b": "b", "eavesdropper": "eve"}',
    ),
    Wrong("GET", "/api/v1/keys/sessions?link=x", 422, "100 sessions of x"),
    Wrong("GET", "/api/v1/jobs", 401, "Authorization: Bearer", headers={}),
    Wrong("GET", "/api/v1/jobs", 401, "Authorization: Bearer", headers={"Authorization": "Basic YTpi"}),
    Wrong("GET", "/api/v1/jobs", 401, "not known", headers={"Authorization": "Bearer no"}),
    Wrong("POST", "/api/v1/jobs", 403, "role operator", headers=VIEWER, content=ECHO),
    Wrong("POST", "/api/v1/devices", 403, "role admin", content='{"device": "d"}'),
    Wrong("POST", "/api/v1/devices/d/revoke", 403, "role admin", content='{"reason": "r"}'),
    Wrong("GET", "/api/v1/nothing", 404, "/api/v1/openapi"),
    Wrong("GET", "/api/v1/jobs/j2", 404, "j2"),
    Wrong("PUT", "/api/v1/jobs", 405, "/api/v1/openapi"),
    Wrong("GET", "/api/v1/jobs/j1/result", 409, "wait until it is finished"),
    Wrong("POST", "/api/v1/jobs", 413, "max_body_bytes", content="x" * 3000),
    Wrong("POST", "/api/v1/jobs", 400, "JSON", content="{nonsense"),
    Wrong("POST", "/api/v1/jobs", 400, "no body"),
    Wrong("POST", "/api/v1/jobs", 400, "did you mean `shots`?", content='{"kind": "probe.echo", "shotz": 1}'),
    Wrong("POST", "/api/v1/jobs", 400, "did you mean `probe.echo`?", content='{"kind": "probe.eco"}'),
    Wrong("POST", "/api/v1/jobs", 400, "shots", content='{"kind": "probe.echo", "shots": "x"}'),
    Wrong("GET", "/api/v1/jobs?limit=0", 400, "limit"),
    Wrong("GET", "/api/v1/jobs?status=lost", 400, "status"),
    Wrong("GET", "/api/v1/jobs?status=canceled", 400, "did you mean `cancelled`?"),
    Wrong("POST", "/api/v1/jobs", 400, "`tabu`?", content=ANNEAL.replace("#", '"method": "tabo"')),
    Wrong("POST", "/api/v1/jobs", 400, "work.methd", content=ANNEAL.replace("#", '"methd": "tabu"')),
    Wrong("GET", "/api/v1/jobs/j1?wait_s=1e9", 400, "wait_s"),
    Wrong("GET", "/api/v1/jobs/broken", 500, "its log says why"),
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: f"{wrong.method} {wrong.path} {wrong.status}")
def test_every_error_is_a_problem(wrong: Wrong) -> None:
    async def main(site: Site) -> None:
        answer = await site.client.request(
            wrong.method, wrong.path, headers=wrong.headers, content=wrong.content
        )
        assert answer.status_code == wrong.status
        assert answer.headers["content-type"].startswith("application/json")
        problem = api.Problem(**answer.json())
        assert problem.code
        assert wrong.words in f"{problem.message} {problem.hint} {problem.field}"
        assert "hunter2" not in answer.text
        assert site.jobs.submitted == []

    run(main)


def test_a_401_says_how_to_authenticate_and_no_log_repeats_a_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def main(site: Site) -> None:
        for headers in (ADMIN, {"Authorization": "Bearer hunter2"}):
            answer = await site.client.get("/api/v1/jobs/broken", headers=headers)
            assert answer.headers.get("www-authenticate") == ("Bearer" if answer.status_code == 401 else None)

    run(main)
    text = "\n".join(
        f"{record.getMessage()} {record.exc_info}" for record in caplog.records if record.name != "httpx"
    )
    assert "A request failed unexpectedly" in text
    for secret in SECRETS:
        assert secret not in text


def test_requests_reach_the_service_with_the_callers_name() -> None:
    async def main(site: Site) -> None:
        answer = await site.client.post("/api/v1/jobs", headers=OPERATOR, content=ECHO)
        assert answer.status_code == 201
        assert answer.json()["status"] == "planned"
        keyed = {**OPERATOR, "Idempotency-Key": "k 1"}
        assert (await site.client.post("/api/v1/jobs", headers=keyed, content=ECHO)).status_code == 201
        echo = api.JobRequest(kind="probe.echo")
        assert site.jobs.submitted == [(echo, "operator", None), (echo, "operator", "k 1")]
        invited = await site.client.post("/api/v1/devices", headers=ADMIN, json={"device": "d"})
        assert invited.json() == {"device": "d", "token": "qf1-made-for-admin", "expires": 9}
        revoked = await site.client.post("/api/v1/devices/d/revoke", headers=ADMIN, json={"reason": "lost"})
        assert (revoked.json()["status"], revoked.json()["reason"]) == ("revoked", "admin: lost")
        for path, key in (("jobs", "id"), ("devices", "name")):
            listed = await site.client.get(f"/api/v1/{path}", headers=VIEWER)
            assert key in listed.json()[0]
        cancelled = await site.client.post("/api/v1/jobs/j1/cancel", headers=OPERATOR)
        assert cancelled.json()["status"] == "cancelled"
        await site.client.get("/api/v1/jobs?limit=7&status=failed", headers=VIEWER)
        assert site.jobs.asked == [
            ("jobs", 50, None),
            ("cancel", "j1", "", "operator"),
            ("jobs", 7, "failed"),
        ]
        assert (await site.client.get("/api/v1/fleet", headers=VIEWER)).json()["fleet"] == "f"

    run(main)


def test_a_viewer_may_plan_and_nothing_is_submitted() -> None:
    async def main(site: Site) -> None:
        answer = await site.client.post("/api/v1/plans", headers=VIEWER, content=ECHO)
        assert answer.status_code == 200
        assert msgspec.json.decode(answer.content, type=api.PlanView).sentences == ("one task",)
        assert (site.jobs.submitted, site.jobs.asked) == ([], [("plan", "probe.echo", "viewer")])
        wanted = {"kind": "probe.echo", "name": "too wide"}
        assert (await site.client.post("/api/v1/plans", headers=VIEWER, json=wanted)).status_code == 422
        assert (await site.client.post("/api/v1/plans", content=ECHO)).status_code == 401

    run(main)


def test_keys_are_shown_to_viewers_and_ordered_by_operators() -> None:
    async def main(site: Site) -> None:
        answer = await site.client.get("/api/v1/keys/links", headers=VIEWER)
        (link,) = msgspec.json.decode(answer.content, type=list[keys.KeyLinkView])
        assert (link.state, link.ends[1].all_bits) == ("alarmed", 8)
        answer = await site.client.get("/api/v1/keys/alarms?limit=7", headers=VIEWER)
        assert [(one["at"], one["cleared"]) for one in answer.json()] == [(7, None)]
        asked = {"a": "a", "b": "c", "bytes": 64}
        for headers, told in ((OPERATOR, "None"), (OPERATOR | {"Idempotency-Key": "k 1"}, "k 1")):
            answer = await site.client.post("/api/v1/keys/relay", headers=headers, json=asked)
            shown = msgspec.json.decode(answer.content, type=keys.KeyRelayView)
            assert (answer.status_code, shown.trusted, shown.size) == (201, ("b",), 64)
            assert shown.reason == f"operator {told}"
        refused = await site.client.post("/api/v1/keys/exchange", headers=headers, json={"a": "a", "b": "b"})
        assert "operator, k 1: " in refused.json()["message"]

    run(main)


def test_a_job_that_no_device_can_run_is_answered_with_the_numbers() -> None:
    async def main(site: Site) -> None:
        wanted = {"kind": "probe.echo", "name": "too wide"}
        answer = await site.client.post("/api/v1/jobs", headers=OPERATOR, json=wanted)
        problem = msgspec.json.decode(answer.content, type=api.Problem)
        assert answer.status_code == 422
        assert (problem.code, problem.message) == ("invalid", "d: 40 qubits are over its 26")
        assert problem.hint == "make the job smaller"

    run(main)


def test_a_long_poll_answers_when_the_job_ends() -> None:
    async def main(site: Site) -> None:
        waiting = asyncio.create_task(site.client.get("/api/v1/jobs/j1?wait_s=20", headers=VIEWER))
        while not site.jobs.waits:  # noqa: ASYNC110 - the request is on its way over a socket
            await asyncio.sleep(0.001)
        assert not waiting.done()
        site.jobs.change("succeeded")
        assert (await waiting).json()["job"]["status"] == "succeeded"
        site.jobs.status = "running"
        answer = await site.client.get("/api/v1/jobs/j1?wait_s=0.01", headers=VIEWER)
        assert answer.json()["job"]["status"] == "running"

    run(main)


def test_headers_without_end_are_cut_off() -> None:
    async def main(site: Site) -> None:
        url = site.client.base_url
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(64):
                writer.write(b"X-More: " + b"a" * 65_536 + b"\r\n")
                await writer.drain()
            assert b" 400 " in await reader.readline()
            await reader.read()
        writer.close()
        assert (await site.client.get("/healthz")).status_code == 200

    run(main)


def test_a_run_is_a_submission_that_answers_with_the_result() -> None:
    async def main(site: Site) -> None:
        wanted = {"kind": "probe.echo", "name": "mine"}
        headers = OPERATOR | {"Idempotency-Key": "k"}
        asking = site.client.post("/api/v1/runs?wait_s=20", headers=headers, json=wanted)
        waiting = asyncio.create_task(asking)
        while not site.jobs.waits:  # noqa: ASYNC110 - the request is on its way over a socket
            await asyncio.sleep(0.001)
        ((request, who, key),) = site.jobs.submitted
        assert (request.name, who, key) == ("mine", "operator", "k")
        assert not waiting.done()
        site.jobs.change("partial")
        ran = msgspec.json.decode((await waiting).content, type=api.RunView)
        assert (ran.job.status, ran.result) == ("partial", None)
        site.jobs.change("succeeded")
        answer = await site.client.post("/api/v1/runs", headers=OPERATOR, json=wanted)
        ran = msgspec.json.decode(answer.content, type=api.RunView)
        assert answer.status_code == 201
        assert ran.result == api.EchoResultView("j1", "succeeded", 1, ())
        site.jobs.change("running")
        answer = await site.client.post("/api/v1/runs?wait_s=0.01", headers=OPERATOR, json=wanted)
        ran = msgspec.json.decode(answer.content, type=api.RunView)
        assert (ran.job.status, ran.result) == ("running", None)

    run(main)


def test_events_show_each_change_and_end_with_the_job() -> None:
    async def main(site: Site) -> None:
        statuses = []
        async with site.client.stream("GET", "/api/v1/jobs/j1/events", headers=VIEWER) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            async for line in stream.aiter_lines():
                if line.startswith("data: "):
                    statuses.append(json.loads(line[6:])["job"]["status"])
                    if len(statuses) == 1:
                        site.jobs.change("partial")
        assert statuses[0] == "running"
        assert statuses[-1] == "partial"

    run(main)


def test_stopping_does_not_wait_for_a_watcher() -> None:
    async def main() -> None:
        async with asyncio.timeout(20), site() as running:
            request = running.client.stream("GET", "/api/v1/jobs/j1/events", headers=VIEWER)
            stream = await request.__aenter__()
            await anext(stream.aiter_lines())
            await request.__aexit__(None, None, None)

    asyncio.run(main())


def test_health_and_readiness() -> None:
    async def main(site: Site) -> None:
        assert (await site.client.get("/healthz")).text == "ok\n"
        assert (await site.client.get("/readyz")).status_code == 200
        assert (
            (await site.client.get("/metrics"))
            .headers["content-type"]
            .startswith("text/plain; version=0.0.4")
        )
        site.missing.append("broker")
        answer = await site.client.get("/readyz")
        assert answer.status_code == 503
        assert "broker" in answer.json()["message"]

    run(main)


def test_the_schema_describes_every_route_and_names_no_other_site() -> None:
    async def main(site: Site) -> None:
        answer = await site.client.get("/api/v1/openapi")
        assert answer.status_code == 200
        schema = answer.json()
        assert set(schema["paths"]) == {
            "/api/v1/jobs",
            "/api/v1/plans",
            "/api/v1/jobs/{job}",
            "/api/v1/jobs/{job}/events",
            "/api/v1/jobs/{job}/result",
            "/api/v1/jobs/{job}/provenance",
            "/api/v1/jobs/{job}/cancel",
            "/api/v1/devices",
            "/api/v1/devices/{name}",
            "/api/v1/devices/{name}/revoke",
            "/api/v1/devices/{name}/quarantine",
            "/api/v1/devices/{name}/release",
            "/api/v1/devices/{name}/retire",
            "/api/v1/devices/{name}/telemetry",
            "/api/v1/fleet",
            "/api/v1/regions",
            "/api/v1/runs",
            *(
                f"/api/v1/keys/{name}"
                for name in (
                    "alarms",
                    "exchange",
                    "links",
                    "relay",
                    "relays",
                    "sessions",
                    "relays/{relay}",
                    "sessions/{session}",
                )
            ),
            "/api/v1/network",
            "/api/v1/network/contacts",
            "/api/v1/network/entanglement",
            "/api/v1/network/faults",
            "/api/v1/network/passes",
            "/api/v1/network/plan",
            "/api/v1/network/routes",
            "/api/v1/network/scenarios",
            "/api/v1/network/simulation",
            "/api/v1/network/simulation/events",
            "/api/v1/network/simulation/stop",
            "/api/v1/network/text",
            "/healthz",
            "/readyz",
            "/metrics",
        }
        request = schema["paths"]["/api/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]
        assert request["schema"] == {"$ref": "#/components/schemas/JobRequest"}
        assert set(schema["components"]["schemas"]["JobRequest"]["properties"]) == set(
            api.JobRequest.__struct_fields__
        )
        for route in ("jobs", "runs", "keys/exchange", "keys/relay"):
            asked = schema["paths"][f"/api/v1/{route}"]["post"]
            assert {"header"} == {one["in"] for one in asked["parameters"] if one["name"] == KEY}, route
            assert KEY in asked["description"]
        assert "http://" not in answer.text
        assert "https://" not in answer.text

    run(main)


def test_an_answer_takes_no_delayed_acknowledgement() -> None:
    async def main(site: Site) -> None:
        loop = asyncio.get_running_loop()
        spans = []
        for _ in range(20):
            start = loop.time()
            await site.client.post("/api/v1/jobs", headers=OPERATOR, content=ECHO)
            spans.append(loop.time() - start)
        # With Nagle's algorithm on, every one takes 40 ms or more.
        assert min(spans) < 0.03

    run(main)


def test_a_taken_address_is_a_configuration_error() -> None:
    async def main(site: Site) -> None:
        port = site.client.base_url.port
        assert port is not None
        second = server.HttpServer(make(site.jobs, []), settings.Api(port=port))
        with pytest.raises(ConfigurationError, match=str(port)):
            await second.start()

    run(main)


def test_beyond_loopback_only_tls_13_is_spoken(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)

    async def main() -> None:
        trust = ssl.create_default_context(cafile=str(certificate))
        where = settings.Api(port=0, tls_certificate=str(certificate), tls_key=str(key))
        async with asyncio.timeout(20), site(where, trust=trust) as running:
            assert (await running.client.get("/healthz")).text == "ok\n"
            old = ssl.create_default_context(cafile=str(certificate))
            old.maximum_version = ssl.TLSVersion.TLSv1_2
            async with httpx.AsyncClient(base_url=running.client.base_url, verify=old) as client:
                with pytest.raises(httpx.ConnectError):
                    await client.get("/healthz")

    asyncio.run(main())


def _certificate(directory: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = directory / "tls.pem", directory / "tls.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths

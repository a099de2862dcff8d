"""The SDK against a server that behaves, misbehaves and goes away."""

import socket
from collections.abc import Iterator

import pytest
from tests.integration import fake_controlplane as fakes
from tests.integration.fake_controlplane import ControlPlane, detail

import qfleet
from qfleet import Fleet, JobRequest
from qfleet_wire import api
from qfleet_wire.names import Millis

REQUEST = JobRequest(kind="circuit.sample", program="OPENQASM 3.0;", shots=8)


@pytest.fixture
def fake() -> Iterator[ControlPlane]:
    with fakes.running() as control_plane:
        yield control_plane


@pytest.fixture
def fleet(fake: ControlPlane) -> Iterator[Fleet]:
    with Fleet(fake.url, fakes.TOKEN, timeout_s=5.0, patience_s=0.0) as connected:
        yield connected


def test_submit_sends_the_request_and_returns_the_job(fake: ControlPlane, fleet: Fleet) -> None:
    fake.on("POST", "jobs", fakes.of(detail().job, 201))
    assert fleet.submit(REQUEST) == detail().job
    assert fake.asked[0].json["program"] == "OPENQASM 3.0;"
    assert fake.asked[0].json["shots"] == 8


LOST = fakes.Answer(b"", status=0)


@pytest.mark.parametrize("lost", [LOST, fakes.problem(504, "timeout", "the proxy gave up")])
def test_a_submission_whose_answer_was_lost_is_repeated_under_its_key(
    fake: ControlPlane, lost: fakes.Answer
) -> None:
    away = fakes.problem(503, "unavailable", "it starts")
    fake.on("POST", "jobs", lost, away, fakes.of(detail().job, 201))
    with Fleet(fake.url, fakes.TOKEN, patience_s=30.0) as fleet:
        assert fleet.submit(REQUEST).id == "job-1"
        assert fleet.submit(REQUEST, key="mine").id == "job-1"
    first, second, third, given = fake.asked
    assert first == second == third
    assert len(first.key) == 32
    assert given.key == "mine"


def test_a_lost_answer_ends_with_patience(fake: ControlPlane, fleet: Fleet) -> None:
    fake.on("POST", "jobs", LOST)
    with pytest.raises(qfleet.Unreachable) as error:
        fleet.submit(REQUEST)
    assert (error.value.uncertain, len(fake.asked)) == (True, 1)


def test_a_submission_that_never_went_out_is_told_at_once(fake: ControlPlane) -> None:
    fake.on("POST", "jobs", fakes.problem(503, "unavailable", "it starts"))
    with Fleet(fake.url, fakes.TOKEN, patience_s=1e6) as fleet, pytest.raises(qfleet.Unreachable):
        fleet.submit(REQUEST)
    assert len(fake.asked) == 1
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{holder.getsockname()[1]}"
        with Fleet(url, fakes.TOKEN, patience_s=1e6) as fleet, pytest.raises(qfleet.Unreachable):
            fleet.submit(REQUEST)


def test_each_submission_has_a_key_of_its_own(fake: ControlPlane, fleet: Fleet) -> None:
    fake.on("POST", "jobs", fakes.of(detail().job, 201))
    for _ in range(2):
        fleet.submit(REQUEST)
    assert fake.asked[0].key != fake.asked[1].key


def test_names_are_escaped_in_paths(fake: ControlPlane, fleet: Fleet) -> None:
    with pytest.raises(qfleet.Refused) as refused:
        fleet.device("../jobs?x")
    assert refused.value.status == 404
    assert fake.asked[0].path == "/api/v1/devices/..%2Fjobs%3Fx"


def test_refusal_carries_the_problem(fake: ControlPlane, fleet: Fleet) -> None:
    place = api.Place(4, 1)
    fake.on("POST", "jobs", fakes.problem(422, "invalid", "no gate hh", hint="h?", where=place))
    with pytest.raises(qfleet.Refused, match="no gate hh") as refused:
        fleet.submit(REQUEST)
    assert refused.value.problem == api.Problem("invalid", "no gate hh", "h?", place)
    assert str(refused.value) == "line 4, column 1: no gate hh"
    assert refused.value.__notes__ == ["hint: h?"]
    assert refused.value.exit_code == 3


def test_an_empty_id_is_refused_here(fake: ControlPlane, fleet: Fleet) -> None:
    with pytest.raises(qfleet.UserError, match="empty"):
        fleet.job("")
    assert fake.asked == []


@pytest.mark.parametrize(
    ("message", "told"), [("Expected `int`", "shots: Expected `int`"), ("shots is -1", "shots is -1")]
)
def test_refusal_names_its_field(fake: ControlPlane, fleet: Fleet, message: str, told: str) -> None:
    fake.on("POST", "jobs", fakes.of(api.Problem("invalid", message, field="shots"), 400))
    with pytest.raises(qfleet.Refused) as refused:
        fleet.submit(REQUEST)
    assert str(refused.value) == told


def test_error_without_a_problem_is_told_by_its_status(fake: ControlPlane, fleet: Fleet) -> None:
    fake.on("GET", "fleet", fakes.Answer(b"<html>no</html>", 418))
    with pytest.raises(qfleet.Refused, match="418"):
        fleet.overview()


@pytest.mark.parametrize("status", [502, 503, 504])
def test_unavailable_control_plane_is_unreachable(fake: ControlPlane, fleet: Fleet, status: int) -> None:
    fake.on("GET", "fleet", fakes.problem(status, "unavailable", "the broker is away"))
    with pytest.raises(qfleet.Unreachable, match="the broker is away"):
        fleet.overview()


def test_something_else_at_the_address_is_told(fake: ControlPlane, fleet: Fleet) -> None:
    fake.on("GET", "fleet", fakes.Answer(b'{"hello": "world"}'))
    with pytest.raises(qfleet.Unreachable, match="does not speak this API"):
        fleet.overview()


def test_redirect_is_not_followed_with_the_token(fake: ControlPlane, fleet: Fleet) -> None:
    fake.on("GET", "fleet", fakes.Answer(b"", 302, {"Location": f"{fake.url}/elsewhere"}))
    with pytest.raises(qfleet.Unreachable, match="redirects"):
        fleet.overview()
    assert len(fake.asked) == 1


def test_nobody_listening_is_unreachable_and_no_error_shows_the_token() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        with (
            Fleet(f"http://127.0.0.1:{port}", fakes.TOKEN) as fleet,
            pytest.raises(qfleet.Unreachable) as away,
        ):
            fleet.overview()
        assert fakes.TOKEN not in f"{fleet!r} {away.value!r} {away.value.problem!r}"


def test_watch_yields_each_change_from_the_stream_once(fake: ControlPlane, fleet: Fleet) -> None:
    fake.on("GET", "jobs/job-1", fakes.of(detail("running", 0.1)))
    changes = [detail("running", 0.1), detail("running", 0.6), detail("succeeded", 1.0)]
    fake.on("GET", "jobs/job-1/events", fakes.stream(*changes))
    assert list(fleet.watch("job-1")) == changes


def test_watch_survives_a_stream_that_breaks_off(fake: ControlPlane, fleet: Fleet) -> None:
    half, end = detail("running", 0.5), detail("succeeded", 1.0)
    fake.on("GET", "jobs/job-1", fakes.of(detail()), fakes.of(half), fakes.of(end))
    fake.on("GET", "jobs/job-1/events", fakes.stream(half, breaks=True))
    assert list(fleet.watch("job-1")) == [detail(), half, end]


def test_watch_asks_where_events_do_not_get_through(fake: ControlPlane, fleet: Fleet) -> None:
    end = detail("succeeded", 1.0)
    fake.on("GET", "jobs/job-1", fakes.of(detail()), fakes.of(detail("running", 0.5)), fakes.of(end))
    fake.on("GET", "jobs/job-1/events", fakes.problem(404, "not-found", "a proxy ate it"))
    assert [change.job.progress for change in fleet.watch("job-1")] == [0.0, 0.5, 1.0]
    assert fake.asked[-1].query == "wait_s=1"


def test_watch_bridges_an_outage_within_its_patience(fake: ControlPlane) -> None:
    end = detail("succeeded", 1.0)
    away = fakes.problem(503, "unavailable", "restarting")
    fake.on("GET", "jobs/job-1", fakes.of(detail()), away, away, fakes.of(end))
    fake.on("GET", "jobs/job-1/events", fakes.stream(breaks=True))
    with Fleet(fake.url, fakes.TOKEN, patience_s=30.0) as patient:
        assert list(patient.watch("job-1")) == [detail(), end]


def test_wait_without_patience_gives_up_on_an_outage(fake: ControlPlane, fleet: Fleet) -> None:
    fake.on("GET", "jobs/job-1", fakes.problem(503, "unavailable", "restarting"))
    with pytest.raises(qfleet.Unreachable):
        fleet.wait("job-1")


def test_wait_polls_until_the_job_has_finished(fake: ControlPlane, fleet: Fleet) -> None:
    fake.on("GET", "jobs/job-1", fakes.of(detail()), fakes.of(detail("failed")))
    assert fleet.wait("job-1").job.status == "failed"
    assert fake.asked[0].query == "wait_s=20"


def test_wait_ends_when_its_time_is_up(fake: ControlPlane, fleet: Fleet) -> None:
    fake.on("GET", "jobs/job-1", fakes.of(detail()))
    with pytest.raises(qfleet.StillRunning, match=r"0\.01 s"):
        fleet.wait("job-1", timeout_s=0.01)


def test_run_asks_once_for_a_short_job(fake: ControlPlane, fleet: Fleet) -> None:
    done = detail("succeeded", 1.0).job
    fake.on("POST", "runs", fakes.of(api.RunView(done, fakes.sampled({"00": 8})), 201))
    result = fleet.run(REQUEST, timeout_s=5)
    assert isinstance(result, qfleet.SampleResultView)
    assert result.items[0].counts == {"00": 8}
    (asked,) = fake.asked
    assert 0 < float(asked.query.removeprefix("wait_s=")) <= 5
    assert (asked.json["kind"], len(asked.key)) == (REQUEST.kind, 32)


def test_run_repeats_under_its_key_what_lost_its_answer_and_waits_for_a_long_job(
    fake: ControlPlane,
) -> None:
    running = api.RunView(detail().job, None)
    fake.on("POST", "runs", fakes.problem(502, "lost", "a proxy restarts"), fakes.of(running, 201))
    fake.on("GET", "jobs/job-1", fakes.of(detail("succeeded", 1.0)))
    fake.on("GET", "jobs/job-1/result", fakes.of(fakes.sampled({"11": 2})))
    with Fleet(fake.url, fakes.TOKEN, patience_s=30.0) as patient:
        result = patient.run(REQUEST)
    assert isinstance(result, qfleet.SampleResultView)
    assert result.items[0].counts == {"11": 2}
    first, second = (asked.key for asked in fake.asked if asked.path.endswith("runs"))
    assert first == second != ""


def test_run_of_a_control_plane_that_knows_no_runs_returns_the_result(
    fake: ControlPlane, fleet: Fleet
) -> None:
    fake.on("POST", "jobs", fakes.of(detail().job, 201))
    fake.on("GET", "jobs/job-1", fakes.of(detail("succeeded", 1.0)))
    fake.on("GET", "jobs/job-1/result", fakes.of(fakes.sampled({"00": 5, "11": 3})))
    result = fleet.run(REQUEST)
    assert isinstance(result, qfleet.SampleResultView)
    assert result.items[0].counts == {"00": 5, "11": 3}


def test_run_of_a_job_that_fails_raises_with_its_reasons(fake: ControlPlane, fleet: Fleet) -> None:
    fake.on("POST", "jobs", fakes.of(detail().job, 201))
    fake.on("GET", "jobs/job-1", fakes.of(detail("failed", errors=("every device refused: too wide",))))
    with pytest.raises(qfleet.JobFailed, match="every device refused: too wide") as failed:
        fleet.run(REQUEST)
    assert failed.value.detail.job.status == "failed"


def test_devices_are_invited_listed_and_revoked(fake: ControlPlane, fleet: Fleet) -> None:
    device = qfleet.DeviceView(name="pi", region="local", status="online")
    fake.on("GET", "devices", fakes.of([device]))
    fake.on("POST", "devices", fakes.of(qfleet.Invitation("pi", "token", Millis(5)), 201))
    fake.on("POST", "devices/pi/revoke", fakes.of(device))
    assert fleet.devices() == (device,)
    assert fleet.invite("pi", valid_s=60).token == "token"
    assert fleet.revoke("pi", "stolen") == device
    assert [asked.json for asked in fake.asked[1:]] == [
        {"device": "pi", "valid_s": 60.0},
        {"reason": "stolen"},
    ]


def test_jobs_are_listed_by_status(fake: ControlPlane, fleet: Fleet) -> None:
    fake.on("GET", "jobs", fakes.of([detail().job]))
    assert fleet.jobs(limit=3, status="running") == (detail().job,)
    assert fake.asked[0].query == "limit=3&status=running"

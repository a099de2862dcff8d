"""The command against a fake control plane: what goes where, and with which exit code it ends."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration import fake_controlplane as fakes
from tests.integration.fake_controlplane import ControlPlane, detail
from typer.testing import CliRunner, Result

from qfleet import configuration
from qfleet.command.application import application
from qfleet.fleet import Fleet
from qfleet_wire import api
from qfleet_wire.names import Millis

PROGRAM = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit q;\n\thh q;\n'


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ControlPlane]:
    """A control plane that the environment of this test points to."""
    token = tmp_path / "token"
    token.write_text(fakes.TOKEN + "\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    monkeypatch.setenv("QFLEET_TOKEN_FILE", str(token))
    with fakes.running() as control_plane:
        monkeypatch.setenv("QFLEET_URL", control_plane.url)
        yield control_plane


@pytest.fixture
def program(tmp_path: Path) -> str:
    file = tmp_path / "bell.qasm"
    file.write_text(PROGRAM)
    return str(file)


def qfleet(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(application, list(arguments), input=typed)


def test_run_prints_the_job_on_stdout_and_the_rest_on_stderr(fake: ControlPlane, program: str) -> None:
    fake.on("POST", "jobs", fakes.of(detail().job, 201))
    result = qfleet("run", program, "--shots", "100", "--seed", "5")
    assert (result.exit_code, result.stdout) == (0, "job-1\n")
    assert "one task: it is small" in result.stderr
    assert "qfleet job watch job-1" in result.stderr
    sent = fake.asked[0].json
    assert (sent["kind"], sent["name"], sent["shots"], sent["seed"]) == ("circuit.sample", "bell", 100, 5)


PLANNED = api.PlanView(
    kind="circuit.sample", method="", items=1, shots=100, task_count=3, memory_bytes=64 << 20, result_bytes=9,
    work_ms=5_000.0, finish_ms=2_500.0, sentences=("split by blocks",), placement=("all to north",),
    devices=(
        api.PlannedDevice("pi", "north", 1, 2, 3, 1_250.0, 40.0, 2_500.0, 512 << 20, "qulacs", measured=True),
        api.PlannedDevice("old", "north", lacks="30 qubits are over its 10"),
    ),
    tasks=(api.PlannedTask(0, 0, 1, 0, 1024, "pi", 40.0, 1_250.0),),
)  # fmt: skip


def test_plan_shows_times_and_reasons_and_submits_nothing(
    fake: ControlPlane, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.on("POST", "plans", fakes.of(PLANNED))
    monkeypatch.setenv("COLUMNS", "200")
    result = qfleet("run", program, "--plan")
    assert result.exit_code == 0
    assert [asked.path for asked in fake.asked] == ["/api/v1/plans"]
    for words in ("split by blocks", "all to north", "3 tasks of 64 MiB memory each", "done in about 2.5 s",
                  "1.2 s", "qulacs, measured", "30 qubits are over its 10"):  # fmt: skip
        assert words in result.stdout
    told = json.loads(qfleet("run", program, "--plan", "--json").stdout)
    assert (told["task_count"], told["devices"][0]["task_ms"]) == (3, 1250.0)


def test_a_plan_that_is_refused_points_into_the_program(fake: ControlPlane, program: str) -> None:
    place = api.Place(5, 2)
    fake.on("POST", "plans", fakes.problem(422, "invalid", "undefined gate 'h'", where=place))
    result = qfleet("run", program, "--plan")
    assert result.exit_code != 0
    assert "undefined gate 'h'" in result.stderr
    assert "bell.qasm:5:2" in result.stderr


def test_run_sends_observables_and_parameters(fake: ControlPlane, program: str) -> None:
    fake.on("POST", "jobs", fakes.of(detail().job, 201))
    arguments = ["--observable", "Z0", "--observable", "X0", "--parameters", "a=0:1:2", "--parameters", "b=3"]
    assert qfleet("run", program, *arguments).exit_code == 0
    sent = fake.asked[0].json
    assert (sent["kind"], sent.get("shots", 0), sent["observables"]) == ("circuit.expect", 0, ["Z0", "X0"])
    assert sent["parameters"] == [{"a": 0.0, "b": 3.0}, {"a": 1.0, "b": 3.0}]


def test_run_sends_bit_strings(fake: ControlPlane, program: str) -> None:
    fake.on("POST", "jobs", fakes.of(detail().job, 201))
    assert qfleet("run", program, "--bitstring", "00", "--bitstring", "11").exit_code == 0
    sent = fake.asked[0].json
    assert (sent["kind"], sent.get("shots", 0), sent["bitstrings"]) == ("circuit.amplitudes", 0, ["00", "11"])


def test_run_asks_for_a_gradient(fake: ControlPlane, program: str) -> None:
    fake.on("POST", "jobs", fakes.of(detail().job, 201))
    assert qfleet("run", program, "--observable", "Z0", "--gradient").exit_code == 0
    assert qfleet("run", program, "--observable", "Z0").exit_code == 0
    assert [sent.json.get("gradient", False) for sent in fake.asked] == [True, False]


def test_run_sends_how_long_and_how_often_to_try(fake: ControlPlane, program: str) -> None:
    fake.on("POST", "jobs", fakes.of(detail().job, 201))
    arguments = ["--lost-after", "2.5", "--max-attempts", "7", "--deadline", "60"]
    assert qfleet("run", program, *arguments).exit_code == 0
    sent = fake.asked[0].json
    assert (sent["lost_after_s"], sent["max_attempts"], sent["deadline_s"]) == (2.5, 7, 60.0)
    assert qfleet("run", program).exit_code == 0
    assert not {"lost_after_s", "max_attempts", "deadline_s"} & set(fake.asked[1].json)


@pytest.mark.parametrize(
    "wrong", [["--lost-after", "0"], ["--max-attempts", "0"], ["--max-attempts", "101"], ["--deadline", "0"]]
)
def test_run_refuses_limits_that_cannot_be(fake: ControlPlane, program: str, wrong: list[str]) -> None:
    result = qfleet("run", program, *wrong)
    assert (result.exit_code, fake.asked) == (2, [])
    assert wrong[0] in result.stderr


@pytest.mark.parametrize("tag", ["", "  "])
def test_run_refuses_a_residency_without_a_tag(fake: ControlPlane, program: str, tag: str) -> None:
    result = qfleet("run", program, "--residency", tag)
    assert (result.exit_code, fake.asked) == (2, [])
    assert f"--residency {tag!r} names no tag" in result.stderr


def test_run_and_watch_shows_a_histogram(fake: ControlPlane, program: str) -> None:
    fake.on("POST", "jobs", fakes.of(detail().job, 201))
    fake.on("GET", "jobs/job-1", fakes.of(detail("succeeded", 1.0)))
    fake.on("GET", "jobs/job-1/result", fakes.of(fakes.sampled({"00": 510, "11": 514})))
    result = qfleet("run", program, "--watch")
    assert result.exit_code == 0
    assert "1,024 shots" in result.stdout
    assert "11" in result.stdout
    assert "50.2%" in result.stdout
    assert "simulated" in result.stdout


def test_run_and_watch_with_json_prints_the_result_alone(fake: ControlPlane, program: str) -> None:
    fake.on("POST", "jobs", fakes.of(detail().job, 201))
    fake.on("GET", "jobs/job-1", fakes.of(detail("succeeded", 1.0)))
    fake.on("GET", "jobs/job-1/result", fakes.of(fakes.sampled({"0": 1024})))
    result = qfleet("run", program, "--watch", "--json")
    assert json.loads(result.stdout)["items"][0]["counts"] == {"0": 1024}


def test_compiler_error_shows_the_line_with_a_caret(fake: ControlPlane, program: str) -> None:
    answer = fakes.problem(
        422, "program", "gate 'hh' is not defined", hint="did you mean 'h'?", where=api.Place(4, 2)
    )
    fake.on("POST", "jobs", answer)
    result = qfleet("run", program)
    assert result.exit_code == 3
    assert result.stdout == ""
    assert f"gate 'hh' is not defined ({program}:4:2)" in result.stderr
    assert "  4 │  hh q;\n    │  ^\n" in result.stderr
    assert "hint: did you mean 'h'?" in result.stderr


def test_refused_observable_is_shown_with_a_caret(fake: ControlPlane, program: str) -> None:
    answer = fakes.problem(422, "observable", "no qubit 7", where=api.Place(1, 4), field="observables[1]")
    fake.on("POST", "jobs", answer)
    result = qfleet("run", program, "--observable", "Z0", "--observable", "Z0 X7")
    assert "no qubit 7 (--observable:1:4)\n  1 │ Z0 X7\n    │    ^\n" in result.stderr


def test_an_input_without_a_value_is_answered_with_the_option(fake: ControlPlane, program: str) -> None:
    message = "parameters[0] gives no value for phi, theta"
    fake.on("POST", "jobs", fakes.problem(422, "request", message, hint="its inputs", field="parameters[0]"))
    result = qfleet("run", program, "--parameters", "gamma=1")
    assert "hint: add --parameters phi=… --parameters theta=…\n" in result.stderr


def test_names_are_never_cut_however_narrow_the_screen(
    fake: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "a-device-with-a-rather-long-name"
    device = api.DeviceView(name=name, region="local", status="online", engines=("qulacs 0.6.14",))
    fake.on("GET", "devices", fakes.of([device]))
    monkeypatch.setenv("COLUMNS", "60")
    assert name in qfleet("device", "list").stdout


def test_errors_are_json_too_where_json_is_asked_for(fake: ControlPlane, program: str) -> None:
    fake.on("POST", "jobs", fakes.problem(422, "program", "no", where=api.Place(4, 2)))
    answer = json.loads(qfleet("run", program, "--json").stdout)
    assert answer["exit"] == 3
    assert answer["error"]["where"] == {"line": 4, "column": 2}


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "no-such-file.qasm"],
        ["run", "{program}", "--shots", "-1"],
        ["run", "{program}", "--parameters", "theta"],
        ["run", "{program}", "--parameters", "theta=0:1"],
        ["job", "list", "--status", "sleeping"],
        ["device", "revoke", "pi", "--reason", "stolen"],
        ["devices"],
        ["job"],
    ],
)
def test_user_errors_end_with_2(fake: ControlPlane, program: str, arguments: list[str]) -> None:
    result = qfleet(*(argument.format(program=program) for argument in arguments))
    assert result.exit_code == 2
    assert fake.asked == []


def test_unreachable_control_plane_ends_with_4(monkeypatch: pytest.MonkeyPatch, fake: ControlPlane) -> None:
    fake.on("GET", "jobs", fakes.problem(503, "unavailable", "not now"))
    assert qfleet("job", "list").exit_code == 4


def test_wrong_token_ends_with_3(fake: ControlPlane, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("another")
    result = qfleet("device", "list")
    assert result.exit_code == 3
    assert "this token is not known" in result.stderr
    assert "another" not in result.output.replace("use another", "")


@pytest.mark.parametrize("command", ["watch", "result"])
def test_failed_and_partial_jobs_end_with_5(fake: ControlPlane, command: str) -> None:
    fake.on("GET", "jobs/job-1", fakes.of(detail("partial", 0.5, errors=("task-1: worker crashed",))))
    fake.on("GET", "jobs/job-1/result", fakes.of(fakes.sampled({"0": 1})))
    result = qfleet("job", command, "job-1")
    assert result.exit_code == 5
    assert "1 shot\n" in result.stdout
    assert "worker crashed" in result.stderr


def test_watch_with_json_prints_each_change_as_a_line(fake: ControlPlane) -> None:
    fake.on("GET", "jobs/job-1", fakes.of(detail()))
    fake.on("GET", "jobs/job-1/events", fakes.stream(detail("running", 0.5), detail("succeeded", 1.0)))
    lines = qfleet("job", "watch", "job-1", "--json").stdout.splitlines()
    assert [json.loads(line)["job"]["progress"] for line in lines] == [0.0, 0.5, 1.0]


def test_interrupt_leaves_the_job_running_and_says_how_to_go_on(
    fake: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> Iterator[api.JobDetail]:
        yield detail()
        raise KeyboardInterrupt

    monkeypatch.setattr(Fleet, "watch", interrupted)
    result = qfleet("job", "watch", "job-1")
    assert result.exit_code == 130
    assert "qfleet job watch job-1" in result.stderr
    assert "qfleet job cancel job-1" in result.stderr
    assert [asked for asked in fake.asked if asked.method == "POST"] == []


def test_job_show_and_list_and_cancel(fake: ControlPlane) -> None:
    fake.on("GET", "jobs", fakes.of([detail().job]))
    fake.on("GET", "jobs/job-1", fakes.of(detail("running", 0.25)))
    fake.on("POST", "jobs/job-1/cancel", fakes.of(detail("cancelled").job))
    assert "ghz" in qfleet("job", "list").stdout
    shown = qfleet("job", "show", "job-1").stdout
    assert "one task: it is small" in shown
    assert "task-1" in shown
    assert "cancelled" in qfleet("job", "cancel", "job-1").stderr
    assert json.loads(qfleet("job", "list", "--json").stdout)[0]["id"] == "job-1"


def test_devices_are_shown(fake: ControlPlane) -> None:
    device = api.DeviceView(name="pi", region="local", status="online", memory_bytes=4 << 30, max_qubits=24)
    fake.on("GET", "devices", fakes.of([device]))
    fake.on("GET", "devices/pi", fakes.of(device))
    assert "4.0 GiB" in qfleet("device", "list").stdout
    assert "24 qubits" in qfleet("device", "show", "pi").stdout
    assert json.loads(qfleet("device", "show", "pi", "--json").stdout)["name"] == "pi"


def test_invitation_prints_the_token_once(fake: ControlPlane) -> None:
    fake.on("POST", "devices", fakes.of(api.Invitation("pi", "qf1-token", Millis(1_000)), 201))
    result = qfleet("device", "invite", "pi", "--valid-s", "60")
    assert result.stdout == "qf1-token\n"
    assert "qf1-token" not in result.stderr
    machine = qfleet("device", "invite", "pi", "--json")
    assert json.loads(machine.stdout)["token"] == "qf1-token"
    assert machine.output.count("qf1-token") == 1


def test_revoke_with_yes(fake: ControlPlane) -> None:
    fake.on(
        "POST", "devices/pi/revoke", fakes.of(api.DeviceView(name="pi", region="local", status="revoked"))
    )
    assert "pi is revoked" in qfleet("device", "revoke", "pi", "--reason", "stolen", "--yes").stderr
    assert fake.asked[0].json == {"reason": "stolen"}


def test_init_asks_the_control_plane_before_it_stores(fake: ControlPlane) -> None:
    view = api.FleetView("home", "local", "0.1.0", "embedded", 3, 2, 0)
    fake.on("GET", "fleet", fakes.of(view))
    refused = qfleet("init", fake.url, typed="wrong\n")
    assert refused.exit_code == 3
    assert not configuration.path().exists()
    stored = qfleet("init", fake.url, typed=fakes.TOKEN + "\n")
    assert stored.exit_code == 0
    assert "fleet home" in stored.stderr
    assert fakes.TOKEN not in stored.output
    assert configuration.path().stat().st_mode & 0o777 == 0o600


def test_check_names_each_finding(fake: ControlPlane) -> None:
    fake.on("GET", "fleet", fakes.of(api.FleetView("home", "local", "0.1.0", "embedded", 3, 0, 0)))
    result = qfleet("check")
    assert result.exit_code == 0
    assert "0 of 3 devices online" in result.stdout
    findings = json.loads(qfleet("check", "--json").stdout)
    assert [finding["level"] for finding in findings] == ["ok", "ok", "ok", "warning"]


def test_check_without_configuration_ends_with_2(monkeypatch: pytest.MonkeyPatch, fake: ControlPlane) -> None:
    monkeypatch.delenv("QFLEET_URL")
    result = qfleet("check")
    assert result.exit_code == 2
    assert "qfleet init" in result.stdout


def test_text_of_others_cannot_steer_the_terminal(fake: ControlPlane) -> None:
    device = api.DeviceView(name="pi", region="local", status="online", profile="\x1b[2Jgone")
    fake.on("GET", "devices", fakes.of([device]))
    assert "\x1b" not in qfleet("device", "list").stdout

"""The demo's processes and directory: what it starts it stops, and nothing else."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from qfleet import errors
from qfleet.demo import interruptions, processes
from qfleet.demo.directory import Directory

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""
PARENT = """
import subprocess, time
subprocess.Popen(["sleep", "60"])
print("up", flush=True)
time.sleep(60)
"""


def command(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def until_up(log: Path, word: str = "up") -> None:
    end = time.monotonic() + 20
    while word not in (log.read_text() if log.exists() else ""):
        assert time.monotonic() < end, f"{log} never said {word}"
        time.sleep(0.01)


def runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def family(tmp_path: Path) -> Iterator[processes.Family]:
    started = processes.Family(tmp_path / "processes.json")
    yield started
    started.stop()


def children(*, recursive: bool = False) -> list[psutil.Process]:
    """What this file's tests have started: other tests of the same run share a database's server."""
    servers = [one for one in psutil.Process().children() if one.name() == "postgres"]
    besides = {*servers, *(child for one in servers for child in one.children(recursive=True))}
    return [one for one in psutil.Process().children(recursive=recursive) if one not in besides]


def test_stopping_ends_processes_and_what_they_started(tmp_path: Path, family: processes.Family) -> None:
    log = tmp_path / "log"
    family.start("parent", command(PARENT), log=log)
    until_up(log)
    started = children(recursive=True)
    assert len(started) == 2
    family.stop()
    assert not any(runs(process) for process in started)
    assert not (tmp_path / "processes.json").exists()


def test_a_process_that_will_not_stop_is_killed(
    tmp_path: Path, family: processes.Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_PATIENCE_S", 0.2)
    family.start("stubborn", command(STUBBORN), log=tmp_path / "log")
    until_up(tmp_path / "log")
    family.stop()
    assert children() == []


def test_a_later_demo_stops_what_an_earlier_one_left(tmp_path: Path, family: processes.Family) -> None:
    family.start("left behind", command("import time; time.sleep(60)"), log=tmp_path / "log")
    (left,) = children()
    assert processes.stop_recorded(tmp_path / "processes.json") == 1
    assert left.wait(5) is not None
    assert processes.stop_recorded(tmp_path / "processes.json") == 0


def test_a_process_that_only_has_the_same_number_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "processes.json"
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as other:
        file.write_bytes(msgspec.json.encode([processes.Record("not ours", other.pid, 1)]))
        assert processes.stop_recorded(file) == 0
        assert other.poll() is None
        other.kill()


def test_an_early_end_is_told_with_its_log(tmp_path: Path, family: processes.Family) -> None:
    log = tmp_path / "log"
    family.start("agent", command("print('broken'); raise SystemExit(3)"), log=log)
    (child,) = children()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(errors.DemoFailed, match="agent ended with code 3") as failed:
        family.check()
    assert failed.value.log == log
    assert Directory(tmp_path).tail(log) == "broken"


def test_a_command_gets_its_secret_through_standard_input_and_its_output_is_not_logged(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    echo = "import sys; text = input(); print(text); print('heard', len(text), file=sys.stderr)"
    processes.run(command(echo), log=log, stdin="secret\n")
    assert log.read_text() == "heard 6\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [("raise SystemExit(2)", "ended with code 2"), ("input()\nimport time; time.sleep(60)", "took more")],
)
def test_a_command_that_fails_or_hangs_is_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(errors.DemoFailed, match=told):
        processes.run(command(text), log=tmp_path / "log", stdin="\n", timeout_s=2.0)


def test_a_signal_waits_until_a_deferred_block_has_ended() -> None:
    done = []

    def interrupted() -> None:
        with interruptions.deferred():
            signal.raise_signal(signal.SIGTERM)
            done.append(True)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert done == [True]


def test_signals_interrupt_and_are_handled_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), interruptions.raised():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before


def test_settings_of_the_user_do_not_reach_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QFLEET_URL", "http://elsewhere")
    assert "QFLEET_URL" not in processes.environment()
    assert "PATH" in processes.environment()


def test_a_directory_of_somebody_else_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(errors.UserError, match=r"thesis\.tex"), Directory(tmp_path).claimed():
        pytest.fail("claimed")
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    with (
        Directory(tmp_path / "demo").claimed(),
        pytest.raises(errors.UserError, match="a demo is running"),
        Directory(tmp_path / "demo").claimed(),
    ):
        pytest.fail("claimed twice")


def test_clearing_keeps_the_claim(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "demo")
    with directory.claimed():
        directory.clear()
        directory.device("pi").mkdir(parents=True)
        (directory.path / "old.txt").write_text("old")
        directory.clear()
        assert sorted(entry.name for entry in directory.path.iterdir()) == [".qfleet-demo", "lock", "logs"]
    with directory.claimed():
        assert directory.path.stat().st_mode & 0o777 == 0o700

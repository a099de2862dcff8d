"""Control groups, on a folder that looks like a delegated cgroup v2 tree."""

from pathlib import Path

import pytest

from qfleet_agent.workers import cgroup


def test_without_the_mark_of_delegation_no_group_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unit.service").mkdir()
    (tmp_path / "unit.service" / "cgroup.procs").touch()
    own = tmp_path / "own"
    own.write_text("0::/unit.service\n")
    monkeypatch.setattr(cgroup, "ROOT", tmp_path)
    monkeypatch.setattr(cgroup, "_OWN", own)
    monkeypatch.setattr("os.listxattr", lambda _: [])
    assert cgroup.find() is None
    monkeypatch.setattr("os.listxattr", lambda _: ["user.delegate"])
    assert cgroup.find() == tmp_path / "unit.service"
    own.write_text("0::/unit.service/agent\n")
    assert cgroup.find() == tmp_path / "unit.service"
    own.write_text("1:name=systemd:/\n")
    assert cgroup.find() is None


def test_preparing_moves_the_agent_to_a_leaf_and_asks_for_memory_control(tmp_path: Path) -> None:
    (tmp_path / "cgroup.procs").write_text("41\n")
    assert cgroup.prepare(tmp_path)
    assert (tmp_path / "agent" / "cgroup.procs").read_text() == "41"
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory"


def test_a_tree_that_cannot_be_used_is_reported_and_not_fatal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert not cgroup.prepare(tmp_path / "absent")
    assert "Workers get no control groups" in caplog.text


def test_a_group_limits_its_process_and_sees_a_kill(tmp_path: Path) -> None:
    (tmp_path / "worker-1").mkdir()
    counts = tmp_path / "worker-1" / "memory.events"
    counts.write_text("low 0\noom 0\noom_kill 2\noom_group_kill 0\n")
    group = cgroup.Group(tmp_path, "worker-1", 1 << 28)
    group.add(77)
    assert (tmp_path / "worker-1" / "memory.max").read_text() == "268435456"
    assert (tmp_path / "worker-1" / "memory.oom.group").read_text() == "1"
    assert (tmp_path / "worker-1" / "cgroup.procs").read_text() == "77"
    assert not group.overran()
    counts.write_text("low 0\noom 1\noom_kill 3\noom_group_kill 1\n")
    assert group.overran()
    group.remove()  # the fake folder is not empty: it stays, and nothing is raised

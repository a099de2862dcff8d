"""The registry finds engines without importing them, and says what is missing."""

import importlib.metadata
import importlib.util
import subprocess
import sys
from collections.abc import Iterator

import pytest

from qfleet_agent.engines import execution, registry, timing
from qfleet_agent.engines.errors import EngineMissing
from qfleet_wire import circuit, payloads, workload

HEAVY = ("numpy", "scipy", "qulacs", "qulacs_core", "sqlite_utils", "dimod", "stim")
PROGRAM = circuit.Program(1, (), (), ())
SAMPLE = workload.CircuitSample(PROGRAM, 1, (workload.SampleItem(0, (), 0, 1),))


@pytest.fixture(autouse=True)
def fresh_look() -> Iterator[None]:
    registry.available.cache_clear()
    registry._installed.cache_clear()
    yield
    registry.available.cache_clear()
    registry._installed.cache_clear()


def test_the_installed_engines_are_named_with_version_and_kinds() -> None:
    engines = {engine.name: engine for engine in registry.available()}
    assert engines["echo"].kinds == ("probe.echo",)
    for candidate in registry._CANDIDATES:
        assert set(candidate.kinds) <= set(engines[candidate.name].kinds) <= registry.kinds()
        assert engines[candidate.name].version == importlib.metadata.version(candidate.distribution)
    qulacs = engines["qulacs"]
    assert {"circuit.sample", "circuit.expect"} <= set(qulacs.kinds)
    assert execution.engine_of(SAMPLE) == qulacs


def test_without_qulacs_a_circuit_fails_with_what_to_install_and_echo_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: found(name) if name == "qfleet_agent" else None
    )
    assert [engine.name for engine in registry.available()] == ["echo"]
    with pytest.raises(EngineMissing, match=r"pip install 'qfleet-agent\[circuits\]'"):
        execution.engine_of(SAMPLE)
    execution.preload()
    assert execution.engine_of(workload.ProbeEcho()).name == "echo"


def test_an_engine_with_two_runners_is_one_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    other = registry.Candidate("qulacs", "echo", "qulacs_core", "qulacs", ("a.kind",), "circuits")
    monkeypatch.setattr(registry, "_CANDIDATES", (*registry._CANDIDATES, other))
    (qulacs,) = (engine for engine in registry.available() if engine.name == "qulacs")
    assert {"circuit.sample", "a.kind"} <= set(qulacs.kinds)
    assert (registry.runner_of("circuit.sample"), registry.runner_of("a.kind")) == ("programs", "echo")
    assert registry.engine_for("a.kind") == qulacs


def test_only_runners_with_samples_share_the_time_for_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    budgets: list[timing.Budget] = []

    def measured(*_: object, budget: timing.Budget) -> tuple[payloads.Calibration, ...]:
        budgets.append(budget)
        return ()

    monkeypatch.setattr(timing, "measure", measured)
    (qulacs,) = (engine for engine in registry.available() if engine.name == "qulacs")
    assert {"variational.minimise", "kernel.matrix"} <= set(qulacs.kinds)
    execution.measure(timing.Timing("qulacs", qulacs.kinds, 1000.0), memory_bytes=1 << 28)
    offering = {registry.runner_of(kind) for kind in qulacs.kinds} - {"variational", "fidelity"}
    assert sum(budget.seconds for budget in budgets) == pytest.approx(1.0)
    assert len(budgets) <= len(offering)


def test_an_unknown_kind_is_said_to_be_unknown() -> None:
    assert registry.engine_for("no.such") is None
    assert "unknown to this agent" in registry.missing("no.such")


def test_the_daemons_side_imports_no_engine() -> None:
    program = (
        "import sys, qfleet_agent.engines.registry, qfleet_agent.workers.pool, qfleet_agent.workers.cgroup;"
        "from qfleet_agent.engines import registry; registry.available();"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

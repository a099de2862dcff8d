"""The agent's wheels alone in a clean environment: nothing of the control plane, no numpy, and it works."""

import subprocess
from pathlib import Path

import pytest
from tests.install import wheels

pytestmark = pytest.mark.install
EXTRAS = {"numpy", "scipy", "qulacs", "stim", "qutip", "dimod", "dwave", "dask", "distributed", "uvicorn"}
"""What only engines, the executor for clusters, and the exchange and delivery of keys may import."""
ROOMS = (
    "engines",
    "workers",
    "qkd",
    "delivery",
    "command.keys",
    "keyservice.assembly",
    "keyservice.exchanges",
    "keyservice.listening",
    "keyservice.reporting",
)


@pytest.fixture(scope="module")
def bare(built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the agent and no engine."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    return wheels.environment(
        folder, wheels.locked("qfleet-agent"), built["qfleet-wire"], built["qfleet-agent"]
    )


@pytest.fixture(scope="module")
def equipped(built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the agent and its circuit engine."""
    folder = tmp_path_factory.mktemp("equipped") / "venv"
    return wheels.environment(
        folder, wheels.locked("qfleet-agent", "circuits"), built["qfleet-wire"], built["qfleet-agent"]
    )


def run(command: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [command, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    )


def python(bin_folder: Path, program: str, *, cwd: Path) -> str:
    done = run(bin_folder / "python", "-c", program, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_every_module_of_the_agent_imports_without_an_engine(bare: Path, tmp_path: Path) -> None:
    program = (
        f"EXTRAS, ROOMS = {EXTRAS!r}, {ROOMS!r}"
        """
import importlib, pkgutil, qfleet_agent
found = pkgutil.walk_packages(qfleet_agent.__path__, "qfleet_agent.")
names = [module.name for module in found if not module.name.endswith("__main__")]
skipped = []
for name in names:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        assert error.name in EXTRAS, (name, error.name)
        skipped.append(name)
assert all(name.removeprefix("qfleet_agent.").startswith(ROOMS) for name in skipped), skipped
print(len(names) - len(skipped))
"""
    )
    assert int(python(bare, program, cwd=tmp_path)) > 20


@pytest.mark.parametrize(
    "module", ["numpy", "qulacs", "litestar", "sqlalchemy", "qfleet", "qfleet_controlplane"]
)
def test_the_bare_agent_brings_nothing_heavy(bare: Path, tmp_path: Path, module: str) -> None:
    program = f"import importlib.util; print(importlib.util.find_spec({module!r}))"
    assert python(bare, program, cwd=tmp_path) == "None"


def test_a_command_whose_extra_is_missing_says_so(bare: Path, tmp_path: Path) -> None:
    done = run(bare / "qfleet-agent", "keys", "status", cwd=tmp_path)
    assert done.returncode == 78
    assert "install qfleet-agent[keys]" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_agent_explains_itself(bare: Path, tmp_path: Path) -> None:
    done = run(bare / "qfleet-agent", "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for command in ("enrol", "run", "status", "check"):
        assert command in done.stdout


def test_the_profiles_come_with_the_wheel(bare: Path, tmp_path: Path) -> None:
    tree = {file.name for file in (wheels.ROOT / "firmware_profiles").glob("*.toml")}
    program = """
import pathlib, qfleet_agent
folder = pathlib.Path(qfleet_agent.__file__).parent / "firmware_profiles"
print(*sorted(file.name for file in folder.glob("*.toml")))
"""
    assert set(python(bare, program, cwd=tmp_path).split()) == tree
    assert len(tree) >= 5


@pytest.mark.parametrize("environment", ["bare", "equipped"])
def test_check_says_which_engines_there_are(
    request: pytest.FixtureRequest, tmp_path: Path, environment: str
) -> None:
    configuration = tmp_path / "agent.toml"
    configuration.write_text(f'state = "{tmp_path / "state"}"\n', encoding="utf-8")
    command = request.getfixturevalue(environment) / "qfleet-agent"
    done = run(command, "check", "--config", str(configuration), cwd=tmp_path)
    assert ("qulacs" in done.stdout) == (environment == "equipped"), done.stdout + done.stderr


def test_a_wrong_setting_ends_as_the_unit_expects(bare: Path, tmp_path: Path) -> None:
    configuration = tmp_path / "agent.toml"
    configuration.write_text("wrokers = 2\n", encoding="utf-8")
    done = run(bare / "qfleet-agent", "run", "--config", str(configuration), cwd=tmp_path)
    assert done.returncode == 78, done.stdout + done.stderr
    assert "did you mean `workers`" in done.stderr

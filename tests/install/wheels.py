"""The members' wheels, and the wheels of everything they depend on as the lock says."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
UV = ROOT / ".tools" / "bin" / "uv"
MEMBERS = {
    "qfleet": "client",
    "qfleet-agent": "agent",
    "qfleet-controlplane": "controlplane",
    "qfleet-wire": "wire",
}
TARGET_PYTHON = "3.11"
"""What Debian 12 has, where the wheels go."""


def build(folder: Path) -> dict[str, Path]:
    """Build the members' wheels from the tree into ``folder``; name → wheel."""
    built = {}
    for package, member in MEMBERS.items():
        output = folder / package
        run(str(UV), "build", "--quiet", "--wheel", "--out-dir", str(output), str(ROOT / member))
        (wheel,) = output.glob("*.whl")
        built[package] = Path(shutil.copy(wheel, folder))
    return built


def locked(package: str, *extras: str) -> str:
    """The package's dependencies pinned and hashed, without the members, as a requirements file."""
    return _exported("--package", package, *(part for extra in extras for part in ("--extra", extra)))


def locked_together() -> str:
    """The same for all members with all their extras."""
    return _exported("--all-packages", "--extra", "circuits", "--extra", "broker", "--extra", "postgresql")


def constraints() -> str:
    """The versions that the tests ran with, as ``make wheels`` writes them beside the wheels."""
    return run(
        str(UV), "export", "--quiet", "--frozen", "--all-packages", "--all-extras", "--no-dev",
        "--no-emit-workspace", "--no-hashes", "--no-annotate", "--no-header",
    )  # fmt: skip


def _exported(*chosen: str) -> str:
    return run(str(UV), "export", "--quiet", "--frozen", "--no-dev", "--no-emit-workspace", *chosen)


def download(cache: Path, requirements: str) -> Path:
    """Fetch the wheels of a requirements file for ``TARGET_PYTHON``, once for each content of it."""
    digest = hashlib.sha256(requirements.encode()).hexdigest()[:16]
    folder = cache / f"wheels-{digest}"
    if folder.is_dir():
        return folder
    unfinished = folder.with_suffix(".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    listed = unfinished / "requirements.txt"
    listed.write_text(requirements, encoding="utf-8")
    run(
        str(ROOT / ".tools" / "bin" / "pip"), "download", "--quiet", "--no-deps",
        "--only-binary=:all:", f"--python-version={TARGET_PYTHON}",
        "--dest", str(unfinished), "--requirement", str(listed),
    )  # fmt: skip
    unfinished.rename(folder)
    return folder


def run(*command: str, text: str | None = None) -> str:
    """Run a command to its end and return what it printed."""
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=900, check=False, cwd=ROOT
    )
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def environment(folder: Path, requirements: str, *wheels: Path) -> Path:
    """A new virtual environment with exactly these; returns its ``bin``."""
    run(str(UV), "venv", "--quiet", "--python", sys.executable, str(folder))
    listed = folder / "requirements.txt"
    listed.write_text(requirements, encoding="utf-8")
    python = str(folder / "bin" / "python")
    run(str(UV), "pip", "install", "--quiet", "--python", python, "--requirement", str(listed))
    run(str(UV), "pip", "install", "--quiet", "--python", python, "--no-deps", *map(str, wheels))
    return folder / "bin"

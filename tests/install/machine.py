"""A Debian 12 with a booted systemd in a container, to install into and to break.

The base system is made once by debootstrap and cached outside the tree; each machine is a copy of
it. Nothing here knows what is tested. It needs root, debootstrap and systemd-nspawn; where they
are missing or not allowed, ``Unavailable`` says which.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

SUITE = "bookworm"
PACKAGES = ("systemd", "systemd-sysv", "dbus", "python3", "python3-venv")
BOOT_S = 90.0
COMMAND_S = 300.0


class Unavailable(Exception):
    """A container cannot be booted here."""


class Machine:
    """One running container."""

    def __init__(self, root: Path, console: subprocess.Popen[bytes], leader: int) -> None:
        """``root`` is its file system, ``leader`` its first process as seen from outside."""
        self.root = root
        self._console = console
        self._leader = leader

    def run(
        self, *command: str, text: str | None = None, check: bool = True, timeout: float = COMMAND_S
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside, with ``text`` as its standard input."""
        done = subprocess.run(
            ["nsenter", "--target", str(self._leader), "--all", "--root", "--wd", "--", *command],
            input=text or "",
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        """Write a file inside."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)

    def unit(self, name: str) -> dict[str, str]:
        """All properties of a unit, as ``systemctl show`` spells them."""
        lines = self.run("systemctl", "show", name).stdout.splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def processes(self, module: str) -> list[psutil.Process]:
        """The processes inside that run a Python module, as seen from outside."""
        found = []
        for process in psutil.Process(self._leader).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # it may end while this looks
                found += [process] if module in process.cmdline() else []
        return found

    def journal(self, unit: str) -> str:
        """The last lines that a unit and systemd wrote about it."""
        return self.run("journalctl", "--no-pager", "--unit", unit, "--lines", "60").stdout

    def wait_for(self, what: str, holds: Callable[[], bool], *, timeout: float = 60.0) -> None:
        """Ask until it holds; ``what`` names it in the failure."""
        deadline = time.monotonic() + timeout
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what} did not happen within {timeout:.0f} s")
            time.sleep(0.1)

    def power_off(self) -> None:
        """Shut down, by force after a while."""
        self.run("systemctl", "poweroff", "--force", check=False, timeout=30)
        try:
            self._console.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._console.kill()
            self._console.wait(timeout=10)


def boot(base: Path, root: Path, *, read_only: dict[Path, str], network: Path | None = None) -> Machine:
    """Copy the base system to ``root`` and boot it; ``read_only`` maps folders to paths inside.

    ``network`` is the network namespace to live in, which machines may share; by default an empty one.

    Raises:
        Unavailable: with what the container manager said.
    """
    subprocess.run(
        ["cp", "--archive", "--reflink=auto", f"{base}/.", str(root)], check=True, timeout=COMMAND_S
    )
    binds = [f"--bind-ro={folder}:{inside}" for folder, inside in read_only.items()]
    # Under a systemd the container gets a scope of its own; elsewhere there is nobody to ask for one.
    place = [] if Path("/run/systemd/system").is_dir() else ["--keep-unit"]
    wires = "--private-network" if network is None else f"--network-namespace-path={network}"
    log = root.parent / f"{root.name}.console.log"
    with log.open("wb") as output:
        console = subprocess.Popen(
            ["systemd-nspawn", "--quiet", "--register=no", wires, "--boot",
             "--console=pipe", *place, f"--directory={root}", *binds],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
        )  # fmt: skip
    try:
        return _booted(root, console)
    except (Unavailable, AssertionError) as error:
        console.kill()
        console.wait(timeout=10)
        raise Unavailable(f"{error}: {log.read_text(errors='replace').strip()[-300:]}") from error


def _booted(root: Path, console: subprocess.Popen[bytes]) -> Machine:
    deadline = time.monotonic() + BOOT_S
    while time.monotonic() < deadline and console.poll() is None:
        for child in psutil.Process(console.pid).children():
            machine = Machine(root, console, child.pid)
            state = machine.run("systemctl", "is-system-running", check=False).stdout.strip()
            if state in {"running", "degraded"}:
                _check_sandbox(machine)
                return machine
        time.sleep(0.1)
    if console.poll() is not None:
        raise Unavailable(f"systemd-nspawn ended with {console.returncode}")
    raise Unavailable(f"the container did not boot within {BOOT_S:.0f} s")


def _check_sandbox(machine: Machine) -> None:
    """What the units ask of the kernel must be allowed here; in a chroot, for one, it is not."""
    asked = (
        "--property=PrivateUsers=yes",
        "--property=ProtectSystem=strict",
        "--property=PrivateDevices=yes",
    )
    done = machine.run("systemd-run", "--quiet", "--wait", *asked, "true", check=False)
    if done.returncode != 0:
        raise Unavailable(
            f"services in it cannot be sandboxed: {' '.join(asked)} ended with {done.returncode}"
        )


def base_system(cache: Path, packages: Sequence[str] = ()) -> Path:
    """The cached base system with further packages, made on first use (about a minute).

    Raises:
        Unavailable: for what is missing here.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        raise Unavailable("booting a container needs root")
    missing = [tool for tool in ("debootstrap", "systemd-nspawn", "nsenter") if shutil.which(tool) is None]
    if missing:
        raise Unavailable(f"{' and '.join(missing)} missing: apt-get install debootstrap systemd-container")
    base = cache / "-".join(("debian", SUITE, *packages))
    if not base.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        _debootstrap(base, [*PACKAGES, *packages])
    return base


def _debootstrap(base: Path, packages: Sequence[str]) -> None:
    unfinished = base.with_suffix(".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    include = f"--include={','.join(packages)}"
    done = subprocess.run(
        ["debootstrap", "--variant=minbase", include, SUITE, str(unfinished), *_mirror()],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    if done.returncode != 0:
        raise Unavailable(f"debootstrap failed: {(done.stdout + done.stderr).strip()[-300:]}")
    unfinished.rename(base)


def _mirror() -> Sequence[str]:
    """Where this machine itself gets the suite from; none leaves it to debootstrap."""
    if shutil.which("apt-get") is None:
        return ()
    known = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(CODENAME) $(COMPONENT) $(REPO_URI)"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    ).stdout
    for line in known.splitlines():
        match line.split():
            case [codename, "main", uri] if codename == SUITE:
                return (uri,)
    return ()

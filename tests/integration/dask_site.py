"""A real Dask cluster in a directory: a scheduler and workers with their nannies, by Dask's own commands."""

import contextlib
import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
from tests.system.processes import STOP_S, Processes, tool

from qfleet_agent.workers.bridge_frames import Connect

MEMORY = "1GiB"
QUIET = {
    # One death of a worker is forgiven, the second is the task's.
    "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
    "DASK_CONFIG": "/dev/null",
}


class Cluster:
    """A context manager: the scheduler and its first workers run inside the ``with``."""

    def __init__(self, directory: Path, *, workers: int = 2) -> None:
        self.directory = directory
        self.file = directory / "scheduler.json"
        self._processes = Processes(directory)
        self._workers = workers
        self._port = 0

    def __enter__(self) -> Self:
        try:
            self.start_scheduler()
            for number in range(self._workers):
                self.start_worker(f"worker-{number}")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self._port}"

    @property
    def executor(self) -> str:
        return f"dask://127.0.0.1:{self._port}"

    @property
    def connect(self) -> Connect:
        return Connect(self.address)

    def start_scheduler(self) -> None:
        """Start it, at the address that it had before if there was one."""
        self.file.unlink(missing_ok=True)
        self._start(
            "scheduler", "scheduler", "--host", "127.0.0.1", "--port", str(self._port),
            "--scheduler-file", str(self.file), "--no-dashboard", "--no-show",
        )  # fmt: skip
        self._processes.wait_for("the scheduler listens", lambda: self._listens() > 0)
        self._port = self._listens()

    def start_worker(self, name: str, *, threads: int = 1, paths: str = "", memory: str = MEMORY) -> None:
        """Start a worker under its nanny, without waiting for it; ``paths`` are searched first."""
        self._start(
            name, "worker", self.address, "--nworkers", "1", "--nthreads", str(threads), "--memory-limit",
            memory, "--no-dashboard", "--local-directory", str(self.directory),
            environment={"PYTHONPATH": paths},
        )  # fmt: skip

    def stop_one(self, name: str) -> None:
        """Ask a worker to leave."""
        self._processes.stop(name)

    def kill_one(self, name: str) -> None:
        """``kill -9`` a nanny, or the scheduler; what it had started ends by itself."""
        self._processes.kill(name)

    def kill_worker(self) -> None:
        """``kill -9`` the one worker process, below its nanny, which starts another."""
        (victim,) = self._worker_processes()
        os.kill(victim.pid, signal.SIGKILL)

    def seats(self) -> list[psutil.Process]:
        """Processes that run tasks, or did."""
        return [seat for worker in self._worker_processes() for seat in seats_of(worker)]

    def wait_for(self, what: str, holds: Callable[[], bool]) -> None:
        self._processes.wait_for(what, holds)

    def log(self, name: str) -> str:
        return self._processes.log(name)

    def stop(self) -> None:
        """End everything at once: nothing of it is needed any more."""
        for name in self._processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                parent = self._processes.process(name)
                for one in [parent, *parent.children(recursive=True)]:
                    one.kill()
            self._processes._running.pop(name).wait(STOP_S)

    def _listens(self) -> int:
        """The port in the scheduler's file, 0 while that is not written."""
        try:
            return int(json.loads(self.file.read_text())["address"].rpartition(":")[2])
        except (FileNotFoundError, json.JSONDecodeError):
            return 0

    def _worker_processes(self) -> list[psutil.Process]:
        nannies = [self._processes.process(name) for name in self._processes if name != "scheduler"]
        found = []
        for child in (child for nanny in nannies for child in nanny.children()):
            try:
                if "multiprocessing.spawn" in " ".join(child.cmdline()):
                    found.append(child)
            except psutil.Error:  # it has just ended
                continue
        return found

    def _start(self, name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        given = [f"{key}={value}" for key, value in {**QUIET, **(environment or {})}.items() if value]
        self._processes.start(name, "/usr/bin/env", *given, tool("dask"), *arguments)


def seats_of(worker: psutil.Process) -> list[psutil.Process]:
    """The processes of ours below a worker."""
    try:
        return [one for one in worker.children() if "qfleet_agent.workers.child" in one.cmdline()]
    except psutil.Error:
        return []

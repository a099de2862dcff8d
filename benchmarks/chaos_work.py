"""The work of the chaos run: many jobs, four at a time, submitted to whichever controller answers.

A submission whose answer was lost is repeated under its key, the job's name, to another controller.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from tests.system.site import Site

from qfleet import FINISHED, Fleet, JobRequest, QFleetError

ECHOES = 100
SHOTS = 24 * 1024
PIECES = 24
"""Tasks that the planner makes of so many shots at most, for the six workers of the site."""
SUBMITTERS = 4
PATIENCE_S = 1500.0
LOST_AFTER_S = 3.0
PROGRAM = """\
OPENQASM 3;
include "stdgates.inc";
qubit[10] q;
bit[10] c;
bit first;
for int i in [0:8] { h q[i]; cx q[i], q[i + 1]; }
first = measure q[0];
if (first) { for int i in [1:9] { ry(0.3) q[i]; cz q[i - 1], q[i]; } }
c = measure q;
"""
"""It decides by its own outcome, so that its shots are split over the devices."""

T = TypeVar("T")


@dataclass(slots=True)
class Done:
    """A job that has ended, and what was asked for."""

    job: str
    request: JobRequest


@dataclass(slots=True)
class Work:
    """Requests to work off; ``tasks_done`` grows while that happens."""

    site: Site
    requests: list[JobRequest] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    finished: int = 0

    @classmethod
    def of(cls, site: Site, tasks: int) -> "Work":
        """About ``tasks`` tasks: three jobs of echoes to one of a quantum program."""
        requests: list[JobRequest] = []
        planned = 0
        while planned < tasks:
            name = f"chaos-{len(requests)}"
            if len(requests) % 4 == 3:
                requests.append(_sample(name))
                planned += PIECES
            else:
                requests.append(_echo(name))
                planned += ECHOES
        return cls(site, requests)

    def run(self) -> list[Done]:
        """Work all of it off."""
        started = time.monotonic()
        with ThreadPoolExecutor(SUBMITTERS) as pool:
            return list(pool.map(lambda request: self._complete(request, started), self.requests))

    def _complete(self, request: JobRequest, started: float) -> Done:
        job = self._persist(started, lambda fleet: fleet.submit(request, key=request.name).id)

        def ended(fleet: Fleet) -> bool | None:
            return fleet.job(job, wait_s=5).job.status in FINISHED or None

        self._persist(started, ended)
        with self._lock:
            self.finished += 1
        return Done(job, request)

    def _persist(self, started: float, ask: Callable[[Fleet], T | None]) -> T:
        """Ask one controller after the other until there is an answer."""
        turn = 0
        while time.monotonic() - started < PATIENCE_S:
            turn += 1
            controller = self.site.controllers[turn % len(self.site.controllers)]
            with (
                contextlib.suppress(QFleetError, OSError, ValueError),
                self.site.connect(controller, timeout_s=10.0, patience_s=0.0) as fleet,
            ):
                answer = ask(fleet)
                if answer is not None:
                    return answer
            time.sleep(0.1)
        raise TimeoutError(f"no answer within {PATIENCE_S:.0f} s")


def _echo(name: str) -> JobRequest:
    return JobRequest(kind="probe.echo", name=name, items=ECHOES, lost_after_s=LOST_AFTER_S, max_attempts=50)


def _sample(name: str) -> JobRequest:
    return JobRequest(
        kind="circuit.sample",
        name=name,
        program=PROGRAM,
        shots=SHOTS,
        seed=7,
        lost_after_s=LOST_AFTER_S,
        max_attempts=50,
    )

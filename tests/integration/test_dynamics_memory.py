"""The memory that a dynamics task is planned with is enough for a fresh process that is held to it."""

import base64
import itertools
import subprocess
import sys
from typing import Any

import pytest
from tests.unit import dynamics_cases as cases

from qfleet_controlplane.planning import kinds
from qfleet_controlplane.planning.plan import Slice

CHILD = """
import base64, sys
from qfleet_agent.engines import execution
from qfleet_agent.workers import limits
from qfleet_wire import codec, workload

work = codec.decode(base64.b64decode(sys.stdin.read()), workload.Work)
limits.allow(int(sys.argv[1]))
result = execution.execute(work, budget=int(sys.argv[2]), report=lambda _: None)
print(len(result.items[0].moments[0].sums))
"""


def chain(qubits: int, method: Any) -> dict[str, Any]:
    """A driven chain of qubits, for a short time: memory does not grow with time."""
    names = [f"q{number}" for number in range(qubits)]
    couplings = [cases.TERM(f"Z({one})*Z({other})") for one, other in itertools.pairwise(names)]
    drives = [cases.TERM(f"X({name})", "0.9*cos(t)") for name in names]
    decays = tuple(cases.COLLAPSE(f"a({name})", "0.1") for name in names)
    return {
        "subsystems": tuple(cases.SUBSYSTEM(name) for name in names),
        "hamiltonian": (*couplings, *drives),
        "collapse": () if method == "sesolve" else decays,
        "observables": ("Z(q0)", "X(q1)"),
        "times": (0.0, 0.01, 0.02),
        "method": method,
        "trajectories": 2 if method == "mcsolve" else 0,
    }


def ran(work: dict[str, Any], allowed: int | None = None) -> subprocess.CompletedProcess[str]:
    job = cases.specification(**work)
    planned = job.effort.memory_bytes
    raw = base64.b64encode(bytes(kinds.encode(job, Slice(0, 1, 0, job.shots)))).decode()
    arguments = [sys.executable, "-c", CHILD, str(allowed or planned), str(planned)]
    return subprocess.run(arguments, input=raw, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize(("qubits", "method"), [(15, "sesolve"), (7, "mesolve"), (14, "mcsolve")])
def test_what_is_planned_is_enough(qubits: int, method: str) -> None:
    done = ran(chain(qubits, method))
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "6"


def test_without_the_engines_own_share_it_would_not_be() -> None:
    done = ran(chain(2, "sesolve"), allowed=8 << 20)
    assert done.returncode != 0

"""QuTiP within a task's memory, in a process that is limited as a worker is, and in no idle one."""

import subprocess
import sys

import pytest
from tests.unit import workload_runs

from qfleet_controlplane.planning import kinds
from qfleet_controlplane.planning.plan import Slice
from qfleet_wire import api

pytest.importorskip("qutip", reason="the agent's [dynamics] extra is not installed")

MIB = 2**20
PROGRAM = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[10] q; bit[10] c;'
PROGRAM += "for int i in [0:8] { h q[i]; cx q[i], q[i + 1]; } ccx q[0], q[5], q[9]; c = measure q;"
WORKER = """
import sys
from qfleet_agent.engines import execution
from qfleet_agent.workers import limits
from qfleet_wire import codec, workload
execution.preload()
assert "qutip" not in sys.modules and "scipy" not in sys.modules
before = limits.data_bytes()
limits.allow(int(sys.argv[1]))
work = codec.decode(sys.stdin.buffer.read(), workload.Work)
execution.execute(work, budget=int(sys.argv[1]), report=lambda _: None)
assert "qutip" in sys.modules
print(limits.data_bytes() - before)
"""


@pytest.mark.parametrize("channel", ["depolarising", "amplitude_damping"])
def test_a_density_matrix_fits_into_what_the_plan_asks_for(channel: str) -> None:
    rules = tuple(api.GateNoise(gate=gate, channel=channel, probability=0.1) for gate in ("cx", "ccx"))
    noise = api.NoiseRequest(gates=rules, method="density")
    job = workload_runs.specified(
        api.JobRequest(kind="circuit.sample", program=PROGRAM, shots=100, noise=noise)
    )
    needed = kinds.memory_bytes(job)
    assert needed < 260 * MIB
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(needed)],
        input=bytes(kinds.encode(job, Slice(0, 1, 0, 100))),
        capture_output=True,
        env={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert 50 * MIB < int(done.stdout) < needed


MEASURE = """
from qfleet_agent.engines import execution, registry, timing
(kinds,) = (engine.kinds for engine in registry.available() if engine.name == "qutip")
timed = execution.measure(timing.Timing("qutip", kinds, 1000.0), memory_bytes=256 << 20)
for each in timed.calibrations:
    assert each.curve
    print(each.load_ms, *each.kinds)
"""


def test_measuring_qutip_tells_its_own_loading_and_a_curve_for_density_matrices() -> None:
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert any("circuit.sample/density" in kinds for _, *kinds in lines)
    assert all(float(load_ms) > 100.0 for load_ms, *_ in lines), done.stdout  # QuTiP and SciPy

"""The model of circuits alone: engines measured, jobs run in one process, by processor time of one thread.

``python -m benchmarks.prediction_model`` prints a line of JSON per job of the bag: its family, and its
milliseconds as predicted and as they were. What else the computer does counts little here.
"""

import os
import statistics
import sys
import time
from types import ModuleType

import msgspec

os.environ.update(OMP_NUM_THREADS="1", QULACS_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

from benchmarks import prediction_bag

from qfleet import JobRequest
from qfleet_agent.engines import execution, programs, registry, stabilizer, timing
from qfleet_agent.engines.timing import Budget
from qfleet_controlplane.planning import cost, kinds, methods
from qfleet_controlplane.planning.plan import Slice
from qfleet_controlplane.service import submission
from qfleet_wire import codec, payloads, workload

SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 47
_RUNS = 3
_MODULES = (("qulacs", programs), ("stim", stabilizer))
_BUDGET = Budget(2.5, 256 << 20)
_MEMORY = 1 << 31
_WORK: type[workload.Work] = workload.Work  # type: ignore[assignment] # a union is no type to mypy


def main() -> None:
    """Measure, then predict and run every job."""
    execution.preload()
    measured = tuple(found for engine, module in _MODULES for found in _measured(engine, module))
    device = payloads.Announcement("", "", "", "", 1, 1, 1, _MEMORY, 30, registry.available(), measured)
    for family, request in prediction_bag.bag(SEED):
        if family not in prediction_bag.CIRCUITS:
            continue
        sys.stdout.write(msgspec.json.encode((family, *_pair(request, device))).decode() + "\n")


def _measured(engine: str, module: ModuleType) -> tuple[payloads.Calibration, ...]:
    def run(work: workload.Work, memory_bytes: int) -> object:
        return module.run(work, budget=memory_bytes, report=lambda _: None)

    return timing.measure(engine, module.samples(), run, budget=_BUDGET, clock=time.process_time)


def _pair(request: JobRequest, device: payloads.Announcement) -> tuple[float, float]:
    job = methods.choose(submission.specify(request, 1), [methods.Device(device, online=True)])
    predicted_ms = kinds.rates(job, cost.calibration_of(device, job.capability)).cost_ms(job.items, job.shots)
    work = codec.decode(kinds.encode(job, Slice(0, job.items, 0, job.shots)), _WORK)
    times = []
    for _ in range(_RUNS):
        begun = time.process_time()
        execution.execute(work, budget=_MEMORY, report=lambda _: None)
        times.append(time.process_time() - begun)
    return predicted_ms, 1e3 * statistics.median(times)


if __name__ == "__main__":
    main()

"""Our side of the circuit figures: one process with the engine, told what to do line by line.

``python -m benchmarks.circuit_engine WORK`` reads an encoded ``workload.CircuitSample`` and
answers each line of standard input with one line: the seconds of a run.
"""

import sys
import time
from pathlib import Path

from qfleet_agent.engines import execution
from qfleet_wire import codec, workload


def main() -> None:
    """Run the work once per line; the last result's outcomes go to ``WORK.counts``."""
    path = Path(sys.argv[1])
    execution.preload()
    work = codec.decode(path.read_bytes(), workload.CircuitSample)
    for _ in sys.stdin:
        started = time.perf_counter()
        result = execution.execute(work, budget=1 << 32, report=lambda _: None)
        seconds = time.perf_counter() - started
        path.with_suffix(".counts").write_bytes(codec.encode(result))
        print(seconds, flush=True)


if __name__ == "__main__":
    main()

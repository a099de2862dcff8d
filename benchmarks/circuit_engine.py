"""Our side of the circuit figures: one process with the engine, as a worker runs it.

``python -m benchmarks.circuit_engine WORK`` reads the encoded work that a device would get; the last
result goes to ``WORK.result``.
"""

import sys
from pathlib import Path
from typing import Any

from benchmarks import circuit_server

from qfleet_agent.engines import execution
from qfleet_wire import codec, workload

_WORK: Any = workload.Work


def main() -> None:
    """Serve standard input."""
    path = Path(sys.argv[1])
    execution.preload()
    work = codec.decode(path.read_bytes(), _WORK, limit=1 << 30)

    def run() -> None:
        result = execution.execute(work, budget=1 << 32, report=lambda _: None)
        path.with_suffix(".result").write_bytes(codec.encode(result))

    circuit_server.serve(run, {})


if __name__ == "__main__":
    main()

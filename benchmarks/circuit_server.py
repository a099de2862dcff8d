"""What both sides of the circuit figures do: answer each line of standard input with one line."""

import sys
import time
from collections.abc import Callable
from pathlib import Path


def serve(run: Callable[[], object], answers: dict[str, Callable[[], str]]) -> None:
    """Answer ``run`` with the seconds it took, ``memory`` with the process's peak in bytes, else as told."""
    for line in sys.stdin:
        match line.strip():
            case "run":
                started = time.perf_counter()
                run()
                answer = str(time.perf_counter() - started)
            case "memory":
                answer = str(peak_bytes())
            case other:
                answer = answers[other]()
        print(answer, flush=True)


def peak_bytes() -> int:
    """Most that this process was ever resident. Not ``ru_maxrss``, which remembers who started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))

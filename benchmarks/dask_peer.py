"""The peer of the no-op figures: Dask distributed with two worker processes on this machine.

Each measurement is a process of its own, ``python -m benchmarks.dask_peer many|one TASKS``, which
prints a JSON list of seconds: Dask runs its scheduler and a profiler in the process that asks,
and they must not run beside what is compared with it.
"""

import json
import logging
import subprocess
import sys
import time
import warnings

from dask.distributed import Client, LocalCluster

WORKERS = 2
WARM_UP = 20
_LIMIT_S = 300


def many(tasks: int) -> float:
    """Seconds for so many no-ops, submitted together and gathered, on a warm cluster."""
    (seconds,) = _measured("many", tasks)
    return seconds


def one_by_one(tasks: int) -> list[float]:
    """Seconds of each of so many no-ops, one at a time, on a warm cluster."""
    return _measured("one", tasks)


def echo(number: int) -> int:
    """The no-op."""
    return number


def _measured(what: str, tasks: int) -> list[float]:
    command = [sys.executable, "-m", "benchmarks.dask_peer", what, str(tasks)]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=_LIMIT_S, check=True)
    seconds: list[float] = json.loads(done.stdout)
    return seconds


def _main() -> None:
    what, tasks = sys.argv[1], int(sys.argv[2])
    warnings.simplefilter("ignore")
    with (
        LocalCluster(
            n_workers=WORKERS,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(WORKERS)
        if what == "many":
            measured = [_run_many(client, tasks) for _ in ("warm-up", "measured")][1:]
        else:
            measured = [_run_one(client, number) for number in range(WARM_UP + tasks)][WARM_UP:]
    print(json.dumps(measured))


def _run_many(client: Client, tasks: int) -> float:
    started = time.perf_counter()
    answers = client.gather(client.map(echo, range(tasks), pure=False))
    duration = time.perf_counter() - started
    assert answers == list(range(tasks))
    return duration


def _run_one(client: Client, number: int) -> float:
    started = time.perf_counter()
    answer = client.submit(echo, number, pure=False).result()
    duration = time.perf_counter() - started
    assert answer == number
    return duration


if __name__ == "__main__":
    _main()

"""The peer of the no-op figures: Dask distributed with two worker processes on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager

from dask.distributed import Client, LocalCluster


def echo(number: int) -> int:
    """The no-op that both sides run."""
    return number


@contextmanager
def cluster(workers: int) -> Iterator[Client]:
    """A local cluster of processes with one thread each, its dashboard on a free port."""
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as running,
        Client(running) as client,
    ):
        client.wait_for_workers(workers)
        yield client


def run_many(client: Client, tasks: int) -> None:
    """Run so many no-ops and collect every answer."""
    answers = client.gather(client.map(echo, range(tasks), pure=False))
    assert answers == list(range(tasks))


def run_one(client: Client, number: int) -> None:
    """Run one no-op and collect its answer."""
    assert client.submit(echo, number, pure=False).result() == number

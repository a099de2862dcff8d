"""Starts agents by fork from a process that has loaded their modules: ``python agent_zygote.py``.

``start CONFIG LOG SYNCHRONOUS``; the child's command line, environment and descriptors are the agent's own.
"""

from pathlib import Path

from tests.integration import zygote

from qfleet_agent import command
from qfleet_agent.command import run
from qfleet_agent.journal import recovery
from qfleet_agent.journal.store import Store

LOADED = (run, recovery)


def start(config: str, log: str, synchronous: str) -> int:
    def live() -> int:
        if synchronous != "FULL":
            weaken(synchronous)
        return command.main(["run", "--config", config])

    return zygote.born(Path(log), live)


def weaken(synchronous: str) -> None:
    """Plant the bug that the tests must find: the journal does not wait for the disk."""
    prepare = Store._prepare  # a bug is planted

    def weakly(store: Store, path: Path, most_bytes: int | None) -> None:
        prepare(store, path, most_bytes)
        store._database.execute(f"PRAGMA synchronous = {synchronous}")  # a bug is planted

    Store._prepare = weakly  # type: ignore[method-assign,assignment]  # a bug is planted


if __name__ == "__main__":
    zygote.serve(start)

"""Starts agents by fork from a process that has loaded their modules: ``python agent_zygote.py``.

Starting Python and loading the agent takes longer than what a kill is to interrupt. Commands come a
line each: ``start CONFIG LOG SYNCHRONOUS`` answers the process id, ``kill PID`` answers how it ended.
The child's command line, environment and descriptors are the agent's own.
"""

import os
import signal
import sys
from pathlib import Path

from qfleet_agent import command
from qfleet_agent.command import run
from qfleet_agent.journal import recovery
from qfleet_agent.journal.store import Store

LOADED = (run, recovery)


def start(config: str, log: str, synchronous: str) -> int:
    process = os.fork()
    if process:
        return process
    code = 70
    try:
        output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        for descriptor in (1, 2):
            os.dup2(output, descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        if synchronous != "FULL":
            weaken(synchronous)
        code = command.main(["run", "--config", config])
    finally:
        os._exit(code)


def weaken(synchronous: str) -> None:
    """Plant the bug that the tests must find: the journal does not wait for the disk."""
    prepare = Store._prepare  # a bug is planted

    def weakly(store: Store, path: Path, most_bytes: int | None) -> None:
        prepare(store, path, most_bytes)
        store._database.execute(f"PRAGMA synchronous = {synchronous}")  # a bug is planted

    Store._prepare = weakly  # type: ignore[method-assign,assignment]  # a bug is planted


def main() -> None:
    for line in sys.stdin:
        word, *arguments = line.split()
        if word == "start":
            answer = start(*arguments)
        else:
            process = int(arguments[0])
            os.kill(process, signal.SIGKILL)
            answer = os.waitpid(process, 0)[1]
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

"""A process that starts others by fork, once it has loaded their modules: commands come a line each.

Starting Python and loading modules takes longer than what a kill is to interrupt. ``start ...`` answers the
process id, ``kill PID`` answers how it ended.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path


def born(errors: Path, live: Callable[[], int]) -> int:
    """Start a process that lives and ends with its code; it writes to ``errors`` and reads nothing."""
    process = os.fork()
    if process:
        return process
    code = 70
    try:
        output = os.open(errors, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        for descriptor in (1, 2):
            os.dup2(output, descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        code = live()
    finally:
        os._exit(code)


def serve(start: Callable[..., int]) -> None:
    """Take commands until standard input ends."""
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

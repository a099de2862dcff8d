"""Starts a process of ours by exec, with one end of a socket pair as standard input and nothing else.

What such a process gets is listed here and in ``limits.environment``: no secret, no other file.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from typing import IO


def start(
    module: str, *arguments: str, link: socket.socket, environment: Mapping[str, str], stderr: int | IO[bytes]
) -> subprocess.Popen[bytes]:
    """Run ``python -P -m MODULE OUR-PROCESS-ID ARGUMENTS`` as the leader of a process group of its own."""
    process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - our own module, no shell
        [sys.executable, "-P", "-m", module, str(os.getpid()), *arguments],
        stdin=link.fileno(),
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        env=dict(environment),
        cwd="/",
        close_fds=True,
        start_new_session=True,
        bufsize=0,
    )
    return process

"""What workers write to standard error, passed to the log line by line and limited.

A native library may write anything, and a lot of it; the agent's log must stay readable and the
agent's memory bounded.
"""

import asyncio
import logging
import os
from typing import BinaryIO

LINES = 50
"""Lines of one worker that reach the log; the rest is counted."""
_CHARACTERS = 500
_READ_BYTES = 16 * 1024

log = logging.getLogger(__name__)


class Stderr:
    """Reads one worker's standard error in the event loop."""

    def __init__(self, pipe: BinaryIO, process: int) -> None:
        self.last = ""
        """The last line that was read."""
        self._pipe, self._process = pipe, process
        self._rest = b""
        self._lines = 0
        os.set_blocking(pipe.fileno(), False)
        asyncio.get_running_loop().add_reader(pipe.fileno(), self._read)

    def close(self) -> None:
        """Read what is left and stop."""
        if self._pipe.closed:
            return
        self._read()
        if not self._pipe.closed:
            self._end()

    def _read(self) -> None:
        try:
            data = os.read(self._pipe.fileno(), _READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line)
        self._rest = self._rest[-_CHARACTERS:]
        if not data:
            self._end()

    def _end(self) -> None:
        if self._rest:
            self._line(self._rest)
        asyncio.get_running_loop().remove_reader(self._pipe.fileno())
        self._pipe.close()
        if self._lines > LINES:
            log.warning(
                "Worker %d wrote %d more lines",
                self._process,
                self._lines - LINES,
                extra={"action": "worker-wrote"},
            )

    def _line(self, raw: bytes) -> None:
        text = raw[:_CHARACTERS].decode(errors="replace").strip()
        if not text:
            return
        self.last = text
        self._lines += 1
        if self._lines <= LINES:
            log.warning("Worker %d: %s", self._process, text, extra={"action": "worker-wrote"})

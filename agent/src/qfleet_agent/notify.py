"""Tells systemd how the agent is (``sd_notify``), over the datagram socket in ``NOTIFY_SOCKET``.

Nothing is sent where systemd did not start the agent. A lost datagram is not an error: the next
one says it again.
"""

import contextlib
import os
import socket
from collections.abc import Mapping

_MICROSECONDS = 1_000_000


class Notifier:
    """The agent's line to systemd; without one every call does nothing."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        name = environment.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the NUL of an abstract name (sd_notify(3)).
        self._address = "\0" + name[1:] if name.startswith("@") else name
        self._interval = _watchdog(environment)

    @property
    def watchdog_s(self) -> float | None:
        """How often ``alive`` must be called, half of what systemd allows; None: not at all."""
        return self._interval if self._address else None

    def ready(self, status: str) -> None:
        """Say that the agent can take work."""
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, text: str) -> None:
        """Say in one line what the agent is doing."""
        self._send(f"STATUS={text}")

    def alive(self) -> None:
        """Feed the watchdog; only the event loop may call it, so that a stuck loop starves it."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the agent goes down on purpose."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.setblocking(False)  # noqa: FBT003  # the standard library's own signature
            line.sendto(text.encode(), self._address)


def _watchdog(environment: Mapping[str, str]) -> float | None:
    limit, owner = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not limit.isdigit() or int(limit) == 0:
        return None
    if owner and owner != str(os.getpid()):
        return None
    return int(limit) / _MICROSECONDS / 2

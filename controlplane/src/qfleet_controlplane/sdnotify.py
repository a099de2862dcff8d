"""Telling systemd how the service is (sd_notify(3)); silent where systemd does not listen.

The watchdog is fed from the event loop, so that a loop that stands still is restarted.
"""

import asyncio
import contextlib
import os
import socket


def notify(state: str) -> None:
    """Send one state line, for example ``READY=1``; an absent or full socket is no error."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.settimeout(0)
        channel.connect("\0" + address[1:] if address.startswith("@") else address)
        channel.send(state.encode())


def watchdog_interval() -> float | None:
    """Seconds between two signs of life, half of what systemd allows; None when it asks for none."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    allowed = int(os.environ.get("WATCHDOG_USEC", "0"))
    return allowed / 2_000_000 if allowed else None


async def feed_watchdog() -> None:
    """Give signs of life until cancelled; return at once when none are asked for."""
    interval = watchdog_interval()
    while interval is not None:
        notify("WATCHDOG=1")
        await asyncio.sleep(interval)

"""What a light device says of itself."""

import secrets
import time

from qfleet_wire import payloads
from qfleet_wire.names import Millis


def heartbeat() -> payloads.Heartbeat:
    """How an idle device is; no two are the same."""
    return payloads.Heartbeat(
        sent=now(),
        uptime_s=int(time.monotonic()),
        load=secrets.randbelow(1000) / 1000,
        memory_free_bytes=400_000_000 + secrets.randbelow(1 << 20),
        disk_free_bytes=8_000_000_000,
        running=0,
        queued=0,
        outbox=0,
        temperature_c=51.5,
    )


def announcement() -> payloads.Announcement:
    """A small machine that can echo."""
    return payloads.Announcement(
        agent_version="0",
        profile="generic",
        boot_id="boot",
        machine="x86_64",
        cores=1,
        memory_bytes=1 << 29,
        workers=1,
        task_memory_bytes=1 << 28,
        max_qubits=20,
        engines=(payloads.Engine("probe", "1", ("probe.echo",)),),
    )


def now() -> Millis:
    """Wall-clock time."""
    return Millis(time.time_ns() // 1_000_000)

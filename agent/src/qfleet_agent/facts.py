"""Measures the device: what it is, once, and how it is, on every heartbeat."""

import os
import platform
import time
from pathlib import Path

import msgspec
import psutil

from qfleet_agent.profiles import Hardware

_MODEL_FILES = (
    Path("/proc/device-tree/model"),
    Path("/sys/class/dmi/id/product_name"),
    Path("/sys/class/dmi/id/product_family"),
    Path("/sys/class/dmi/id/board_name"),
    Path("/sys/class/dmi/id/sys_vendor"),
)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_ZONES = Path("/sys/class/thermal")
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_COLDEST, _HOTTEST = -60.0, 150.0
"""Sensors that are absent or broken report values far outside of these, in °C."""


class Condition(msgspec.Struct, frozen=True):
    """How the device is: load in [0, 1] per core, sizes in bytes, °C."""

    uptime_s: int
    load: float
    memory_free_bytes: int
    disk_free_bytes: int
    temperature_c: float | None


def hardware() -> Hardware:
    """Return what the device is."""
    return Hardware(
        models=tuple(text for path in _MODEL_FILES if (text := _read(path))),
        machine=platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=_memory(),
    )


def condition(state: Path) -> Condition:
    """Return how the device is; ``state`` is the folder whose file system counts."""
    memory = psutil.virtual_memory()
    return Condition(
        uptime_s=int(time.clock_gettime(time.CLOCK_BOOTTIME)),
        load=min(os.getloadavg()[0] / (os.cpu_count() or 1), 1.0),
        memory_free_bytes=memory.available,
        disk_free_bytes=disk_free(state),
        temperature_c=temperature(),
    )


def disk_free(folder: Path) -> int:
    """Bytes that an unprivileged process can still write to the folder's file system."""
    stat = os.statvfs(folder)
    return stat.f_bavail * stat.f_frsize


def temperature(zones: Path = _ZONES) -> float | None:
    """Return the hottest thermal zone in °C, or None where the device has none that works."""
    readings = [_celsius(_read(zone / "temp")) for zone in zones.glob("thermal_zone*")]
    return max((one for one in readings if one is not None), default=None)


def boot_id() -> str:
    """Name this boot of the device, or this start of the agent where the kernel does not."""
    return _read(_BOOT_ID) or f"start-{time.monotonic_ns()}"


def _memory() -> int:
    total = psutil.virtual_memory().total
    limit = _read(_CGROUP_LIMIT)
    return min(total, int(limit)) if limit.isdigit() else total


def _celsius(text: str) -> float | None:
    try:
        value = int(text) / 1000
    except ValueError:
        return None
    return value if _COLDEST < value < _HOTTEST else None


def _read(path: Path) -> str:
    try:
        return path.read_bytes().rstrip(b"\0\n ").decode("utf-8", "replace")
    except OSError:
        return ""

import asyncio
import os
import socket
from pathlib import Path

import pytest

from qfleet_controlplane import sdnotify
from qfleet_controlplane.metrics import Registry


def test_metrics_are_prometheus_text() -> None:
    registry = Registry()
    opened = registry.counter("qfleet_messages_total", "Messages", label="outcome")
    plain = registry.counter("qfleet_plain_total", "Plain")
    registry.gauge("qfleet_devices", "Devices", lambda: {"online": 2, "lost": 0}, label="status")
    registry.gauge("qfleet_queue", "Queue", lambda: 3)
    opened.add("opened", 4)
    opened.add('odd"\n\\')
    assert registry.render() == (
        "# HELP qfleet_messages_total Messages\n# TYPE qfleet_messages_total counter\n"
        'qfleet_messages_total{outcome="odd\\"\\n\\\\"} 1\n'
        'qfleet_messages_total{outcome="opened"} 4\n'
        "# HELP qfleet_plain_total Plain\n# TYPE qfleet_plain_total counter\nqfleet_plain_total 0\n"
        "# HELP qfleet_devices Devices\n# TYPE qfleet_devices gauge\n"
        'qfleet_devices{status="lost"} 0\nqfleet_devices{status="online"} 2\n'
        "# HELP qfleet_queue Queue\n# TYPE qfleet_queue gauge\nqfleet_queue 3\n"
    )
    assert plain.values == {}


def test_notifications_reach_the_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(path))
        systemd.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        sdnotify.notify("READY=1")
        assert systemd.recv(64) == b"READY=1"


def test_the_watchdog_is_fed_from_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "notify"

    async def main(systemd: socket.socket) -> bytes:
        feeding = asyncio.create_task(sdnotify.feed_watchdog())
        async with asyncio.timeout(5):
            word = await asyncio.get_running_loop().sock_recv(systemd, 64)
        feeding.cancel()
        return word

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(path))
        systemd.settimeout(0)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        monkeypatch.setenv("WATCHDOG_USEC", "2000000")
        assert asyncio.run(main(systemd)) == b"WATCHDOG=1"


def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    sdnotify.notify("READY=1")
    asyncio.run(sdnotify.feed_watchdog())
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid() + 1))
    assert sdnotify.watchdog_interval() is None

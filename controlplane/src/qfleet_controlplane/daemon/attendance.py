"""A controller's name and state directory, each held by one process at a time.

Two processes of one name would take each other's leases for ever; two on one state directory would
have the same keys and broker. Neither may begin to lead.
"""

import asyncio
import fcntl
import os
import secrets
from pathlib import Path
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from qfleet_controlplane.daemon import clocks
from qfleet_controlplane.errors import ConfigurationError
from qfleet_controlplane.settings import Settings
from qfleet_controlplane.store import attendance
from qfleet_controlplane.store.attendance import Instance
from qfleet_controlplane.store.database import Database
from qfleet_wire.names import ControllerName

_NAME = "instance"
_POLL_S = 0.25
_BYTES = 16


class Premises:
    """The lock of a state directory; the system frees it when the process ends, however that happens.

    Raises:
        ConfigurationError: another process runs on the directory, or it cannot be written.
    """

    def __init__(self, directory: Path) -> None:
        path = directory / _NAME
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(f"cannot write {path}: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.instance = Instance(self._identity(), secrets.token_hex(_BYTES))
        except BlockingIOError as error:
            os.close(self._descriptor)
            raise ConfigurationError(
                f"another control plane runs on {directory}: stop it first, or set another 'state'"
            ) from error
        except OSError as error:
            os.close(self._descriptor)
            raise ConfigurationError(f"cannot lock {path}: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def _identity(self) -> str:
        """The directory's own identity, drawn when it is first used."""
        known = os.pread(self._descriptor, 2 * _BYTES, 0)
        if len(known) == 2 * _BYTES and known.isalnum() and known.isascii():
            return known.decode()
        drawn = secrets.token_hex(_BYTES)
        os.pwrite(self._descriptor, drawn.encode(), 0)
        os.fsync(self._descriptor)
        return drawn


class Attendance:
    """A controller's attendance under its name.

    Args:
        settings: the controller's.
        database: the store that all controllers share.
        instance: this process.
        ttl_s: for how long each claim of the name lasts.
    """

    def __init__(self, settings: Settings, database: Database, instance: Instance, ttl_s: float) -> None:
        self._me = ControllerName(settings.controller)
        self._database = database
        self._instance = instance
        self._ttl_s = ttl_s

    @property
    def trouble(self) -> str:
        """What is wrong when another process has the name."""
        return f"a controller named {self._me!r} is running elsewhere: give this one another name"

    async def begin(self) -> None:
        """Claim the name; wait for what a former life in another place may have left of it.

        Raises:
            ConfigurationError: another process goes on under this name.
            StoreFailed: the database does not answer.
        """
        ends = clocks.elapsed() + self._ttl_s + _POLL_S
        while await self._database.writer.run(lambda connection: self._claim(connection, restarted=True)):
            if clocks.elapsed() >= ends:
                raise ConfigurationError(self.trouble)
            await asyncio.sleep(_POLL_S)

    def renew(self, connection: sa.Connection) -> bool:
        """Attend for a while more; False if another process has the name now."""
        return self._claim(connection) == 0

    def holds(self, connection: sa.Connection) -> bool:
        """Whether the name is this process's, until the transaction ends."""
        return attendance.holds(connection, self._me, self._instance)

    async def end(self) -> None:
        """Leave, unless another process has the name."""
        await self._database.writer.run(
            lambda connection: attendance.leave(connection, self._me, self._instance)
        )

    def _claim(self, connection: sa.Connection, *, restarted: bool = False) -> int:
        ttl_ms = int(self._ttl_s * 1000)
        return attendance.claim(connection, self._me, self._instance, ttl_ms, restarted=restarted)

"""Accounts in a file that the broker reads when it is told to: NATS servers, and Mosquitto's password file.

The file is replaced whole, so that a broker which starts meanwhile reads the old or the new one. A
reload is believed only when one of the new logins works.
"""

import asyncio
import logging
import os
import stat
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from qfleet_controlplane.broker.accounts import Change
from qfleet_controlplane.broker.logins import Login
from qfleet_controlplane.errors import BrokerUnavailable
from qfleet_wire.names import DeviceName

_log = logging.getLogger(__name__)

_RELOAD_S = 30.0
_PROVE_S = 10.0
_FIRST_PROOF_S = 0.01
_LONGEST_PROOF_S = 0.5
_LOUDEST = 500

Render = Callable[[Mapping[DeviceName, Login]], str]


class UserFile:
    """The backend for brokers that read a file.

    Args:
        path: the file; what exists keeps its mode, owner and group.
        render: makes its text from all accounts; may be slow.
        reload: lets the broker read it; raises ``BrokerUnavailable``.
        prove: returns when a login works everywhere it should; raises ``BrokerUnavailable``.
    """

    def __init__(
        self,
        path: Path,
        render: Render,
        *,
        reload: Callable[[], Awaitable[None]],
        prove: Callable[[Login], Awaitable[None]],
    ) -> None:
        self._path = path
        self._render = render
        self._reload = reload
        self._prove = prove

    async def apply(self, accounts: Mapping[DeviceName, Login], change: Change) -> None:
        """Write the file, let the broker read it, and try the newest login.

        Raises:
            BrokerUnavailable: one of these did not work.
        """
        await asyncio.to_thread(self._write, accounts)
        # Also where the file is the same: the broker may have another controller's, which died.
        await self._reload()
        newest = next(reversed(change.added.values()), None)
        if newest is not None:
            await self._until_proved(newest)
        _log.info(
            "The broker has %d accounts of devices.", len(accounts), extra={"action": "accounts_written"}
        )

    async def refresh(self, accounts: Mapping[DeviceName, Login]) -> None:
        """Write the file and let the broker read it, though it may be the same; raise as ``apply``."""
        newest = dict(list(accounts.items())[-1:])
        await self.apply(accounts, Change(added=newest))

    def _write(self, accounts: Mapping[DeviceName, Login]) -> None:
        text = self._render(accounts).encode()
        try:
            replace(self._path, text)
        except OSError as error:
            raise BrokerUnavailable(f"cannot write the accounts {self._path}: {error.strerror}") from error

    async def _until_proved(self, login: Login) -> None:
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + _PROVE_S, _FIRST_PROOF_S
        while True:
            try:
                return await self._prove(login)
            except BrokerUnavailable as error:
                if loop.time() > deadline:
                    raise BrokerUnavailable(
                        f"the broker read {self._path} again, but a login in it does not work: {error}"
                    ) from error
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PROOF_S)


def replace(path: Path, text: bytes) -> None:
    """Replace a file that holds passwords; a new one gets mode 0600. Raises ``OSError``."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if path.exists():
            before = path.stat()
            if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, before.st_uid if os.geteuid() == 0 else -1, before.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    temporary.replace(path)


async def run_command(command: tuple[str, ...]) -> None:
    """Run the operator's reload command; raise ``BrokerUnavailable`` with its words when it fails."""
    if not command:
        return
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except OSError as error:
        raise BrokerUnavailable(
            f"broker.reload_command {command[0]!r} cannot run: {error.strerror}"
        ) from error
    try:
        async with asyncio.timeout(_RELOAD_S):
            said, _ = await process.communicate()
    except TimeoutError:
        raise BrokerUnavailable(
            f"broker.reload_command {command[0]!r} did not end within {_RELOAD_S:.0f} s"
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        words = said.decode("utf-8", "replace").strip()[:_LOUDEST]
        raise BrokerUnavailable(
            f"broker.reload_command {command[0]!r} ended with code {process.returncode}: {words}"
        )

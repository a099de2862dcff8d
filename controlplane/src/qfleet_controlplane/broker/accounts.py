"""Devices' accounts at the broker, kept as they should be: made before a grant is sent, ended by revocation.

Changes are collected while the broker takes the ones before, so that 500 enrolments at once are a
few reloads. What fails is tried again with back-off until it works; whoever waits for it waits for
a bounded time only. Nothing here knows how a login is made.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from qfleet_controlplane.broker.logins import Login
from qfleet_controlplane.errors import BrokerUnavailable
from qfleet_wire.names import DeviceName

_log = logging.getLogger(__name__)

_PATIENCE_S = 20.0
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0


class Provisioner(Protocol):
    """Makes and ends devices' accounts."""

    @property
    def own(self) -> bool:
        """Whether every device has a login of its own."""

    async def start(self, devices: Mapping[DeviceName, Login]) -> None:
        """Begin, with all devices that have an account; the broker may come later."""

    async def ensure(self, devices: Mapping[DeviceName, Login]) -> None:
        """Return when these devices can log in; raise ``BrokerUnavailable`` after a while."""

    async def remove(self, device: DeviceName) -> None:
        """Return when this device cannot log in; raise ``BrokerUnavailable`` after a while."""

    async def rebuild(self, devices: Mapping[DeviceName, Login]) -> None:
        """Return when exactly these devices have accounts; raise ``BrokerUnavailable`` after a while."""

    async def stop(self) -> None:
        """Try no more."""


@dataclass(slots=True)
class Change:
    """What is to change; ``whole`` when the broker's accounts are to be compared with all of ours."""

    whole: bool = False
    added: dict[DeviceName, Login] = field(default_factory=dict)
    removed: set[DeviceName] = field(default_factory=set)

    def __bool__(self) -> bool:
        return self.whole or bool(self.added) or bool(self.removed)

    def before(self, later: "Change") -> "Change":
        """Join two changes, the later one second."""
        added = {name: login for name, login in self.added.items() if name not in later.removed}
        removed = self.removed - later.added.keys()
        return Change(self.whole or later.whole, added | later.added, removed | later.removed)


class Backend(Protocol):
    """One kind of broker. Applying a change twice must do no harm."""

    async def apply(self, accounts: Mapping[DeviceName, Login], change: Change) -> None:
        """Return when the broker has it; ``accounts`` are all that shall exist afterwards.

        Raises:
            BrokerUnavailable: it has not; it is tried again.
        """


class Shared:
    """A broker whose logins somebody else makes: all devices share one."""

    own = False

    async def start(self, devices: Mapping[DeviceName, Login]) -> None:
        """Nothing to do."""

    async def ensure(self, devices: Mapping[DeviceName, Login]) -> None:
        """Nothing to do."""

    async def remove(self, device: DeviceName) -> None:
        """Nothing to do: the channel's own revocation shuts the device out."""

    async def rebuild(self, devices: Mapping[DeviceName, Login]) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Nothing to do."""


class Accounts:
    """The accounts of one region's devices at a broker that takes them."""

    own = True

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._wanted: dict[DeviceName, Login] = {}
        self._made: dict[DeviceName, Login] = {}
        self._change = Change()
        self._waiting: list[asyncio.Future[None]] = []
        self._stirred = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.rounds = 0
        """How often the broker was given a change."""

    async def start(self, devices: Mapping[DeviceName, Login]) -> None:
        """Begin to bring the broker's accounts in line with these, without waiting for it."""
        self._compare_with(devices)
        self._task = asyncio.create_task(self._work(), name="broker-accounts")

    async def ensure(self, devices: Mapping[DeviceName, Login]) -> None:
        """Return when these devices can log in; raise ``BrokerUnavailable`` after a while."""
        missing = {device: login for device, login in devices.items() if self._made.get(device) != login}
        if missing:
            self._wanted.update(missing)
            self._want(Change(added=missing))
            await self._done()

    async def remove(self, device: DeviceName) -> None:
        """Return when this device cannot log in; raise ``BrokerUnavailable`` after a while."""
        self._wanted.pop(device, None)
        self._want(Change(removed={device}))
        await self._done()

    async def rebuild(self, devices: Mapping[DeviceName, Login]) -> None:
        """Return when exactly these devices have accounts; raise ``BrokerUnavailable`` after a while."""
        self._compare_with(devices)
        await self._done()

    async def stop(self) -> None:
        """Try no more, and tell whoever waits."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for future in self._waiting:
            if not future.done():
                future.set_exception(BrokerUnavailable("the control plane stops"))

    def _compare_with(self, devices: Mapping[DeviceName, Login]) -> None:
        self._wanted = dict(devices)
        self._want(Change(whole=True))

    def _want(self, change: Change) -> None:
        self._change = self._change.before(change)
        self._stirred.set()

    async def _done(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await future
        except TimeoutError:
            raise BrokerUnavailable(
                f"the broker did not take an account within {_PATIENCE_S:.0f} s; it is tried again"
            ) from None

    async def _work(self) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            change, self._change = self._change, Change()
            accounts, served = dict(self._wanted), len(self._waiting)
            try:
                await self._backend.apply(accounts, change)
            except BrokerUnavailable as error:
                _log.warning("Accounts are not made yet: %s", error, extra={"action": "accounts_late"})
                self._want_again(change)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)
            else:
                self._made, pause = accounts, _FIRST_PAUSE_S
                self.rounds += 1
                self._tell(served)

    def _want_again(self, change: Change) -> None:
        self._change = change.before(self._change)
        self._waiting = [future for future in self._waiting if not future.done()]
        self._stirred.set()

    def _tell(self, served: int) -> None:
        done, self._waiting = self._waiting[:served], self._waiting[served:]
        for future in done:
            if not future.done():
                future.set_result(None)

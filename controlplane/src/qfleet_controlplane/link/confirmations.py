"""Keeping only the secrets of sessions whose first message has opened: many in one transaction.

Until this is stored, both the offered secret and the one before resume; so it may come late, and when it
fails nothing is lost.
"""

import asyncio
import logging
from dataclasses import dataclass

import sqlalchemy as sa

from qfleet_controlplane.authority import membership
from qfleet_controlplane.errors import Unavailable
from qfleet_controlplane.link import faults
from qfleet_controlplane.link.parts import Parts
from qfleet_controlplane.link.peers import Shown
from qfleet_controlplane.store import registry
from qfleet_wire.channel.session import Session
from qfleet_wire.names import DeviceName

_log = logging.getLogger(__name__)

_ROUND = 256


@dataclass(frozen=True, slots=True)
class _Confirmed:
    device: DeviceName
    session: bytes
    certificate_hash: bytes | None


class Confirmations:
    """Takes confirmed sessions; what gathers during one transaction goes in the next."""

    def __init__(self, parts: Parts) -> None:
        self._stores = parts.stores
        self._around = parts.around
        self._waiting: list[_Confirmed] = []
        self._task: asyncio.Task[None] | None = None

    def take(self, device: DeviceName, session: Session, shown: Shown | None) -> None:
        """Take a session in; called from the inbound path, never waits."""
        self._around.counts.handshakes.add("confirmed")
        certificate = None if shown is None else shown.certificate_hash
        self._waiting.append(_Confirmed(device, session.id, certificate))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work(), name="confirmations")

    async def stop(self) -> None:
        """Finish what is under way."""
        if self._task is not None:
            await self._task

    async def _work(self) -> None:
        try:
            while self._waiting:
                taken, self._waiting = self._waiting[:_ROUND], self._waiting[_ROUND:]
                await self._store(taken)
        finally:
            self._task = None

    async def _store(self, taken: list[_Confirmed]) -> None:
        try:
            await self._stores.database.writer.run(lambda connection: self._confirm(connection, taken))
        except Unavailable as error:
            # The offered secrets stay; whichever the device holds is still found.
            faults.note(_log, "Confirmations could not be stored", error, "confirm_store_failed")

    def _confirm(self, connection: sa.Connection, taken: list[_Confirmed]) -> None:
        ring, now = self._stores.ring, self._around.clock()
        for one in taken:
            held = membership.record(connection, ring, one.device)
            kept = held.confirm(one.session)
            if kept is not held:
                membership.keep_record(connection, ring, one.device, kept, now)
            if one.certificate_hash is not None:
                # The device holds this certificate for good now: it is the one that counts.
                registry.supersede_older(connection, one.device, one.certificate_hash)

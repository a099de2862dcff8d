"""What administrators decide about devices: invite and revoke; with who and why in the audit log."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from qfleet_controlplane.authority import invitations
from qfleet_controlplane.errors import Conflict
from qfleet_controlplane.link.link import Link
from qfleet_controlplane.link.surroundings import Surroundings
from qfleet_controlplane.machine import events
from qfleet_controlplane.machine.tables import SHUT_OUT
from qfleet_controlplane.service.service import Service
from qfleet_controlplane.store import registry
from qfleet_controlplane.store.database import Database
from qfleet_wire import api
from qfleet_wire.names import DeviceName

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Governance:
    """The devices of the API; ``inviting`` gives what goes into a token at that moment."""

    service: Service
    database: Database
    link: Link
    around: Surroundings
    inviting: Callable[[], invitations.Inviting]

    async def devices(self) -> Sequence[api.DeviceView]:
        """List devices by name."""
        return await self.service.devices()

    async def device(self, device: DeviceName) -> api.DeviceView:
        """One device. Raises ``NotFound``."""
        return await self.service.device(device)

    async def invite(self, request: api.InviteRequest, who: str) -> api.Invitation:
        """Make a one-time join token.

        Raises:
            InvalidRequest: the name or the validity cannot be.
            Conflict: the name is spent.
        """
        device = invitations.check(request)
        if (status := self.service.status_of(device)) in SHUT_OUT:
            raise Conflict(f"device {device!r} is {status} and its name is spent: invite it under another")
        row, token = invitations.make(
            self.inviting(), request, now=self.around.clock(), random=self.around.random
        )
        await self.database.writer.run(lambda connection: registry.add_invitation(connection, row))
        await self.service.decide(events.Invited(device, who))
        return api.Invitation(device, token, row.expires)

    async def revoke(self, device: DeviceName, reason: str, who: str) -> api.DeviceView:
        """Revoke a device for good; its sessions end at once. Raises ``NotFound``."""
        await self.service.device(device)
        self.link.shut_out(device)
        view = await self.service.revoke(device, reason, who)

        def forget(connection: sa.Connection) -> None:
            registry.revoke(connection, device)

        await self.database.writer.run(forget)
        _log.warning("Device %s is revoked by %s.", device, who, extra={"action": "device_revoked"})
        return view

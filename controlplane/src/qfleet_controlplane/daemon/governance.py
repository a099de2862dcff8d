"""What administrators decide about devices, with who and why in the audit log.

A decision about a device of a region led here is taken in at once; any other is ordered, and this
waits until it is carried out, because the caller must know that a revoked device is out.
"""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa

from qfleet_controlplane.authority import invitations
from qfleet_controlplane.authority.keyring import Keyring
from qfleet_controlplane.broker.services import External, open_broker
from qfleet_controlplane.daemon import clocks
from qfleet_controlplane.daemon.region import RegionRuntime
from qfleet_controlplane.errors import Conflict, InvalidRequest, NotFound, Unavailable
from qfleet_controlplane.machine import events
from qfleet_controlplane.machine.tables import SHUT_OUT
from qfleet_controlplane.service import measurements, ordering, portraits
from qfleet_controlplane.service.ordering import Decision
from qfleet_controlplane.settings import Settings
from qfleet_controlplane.store import orders, registry, roster
from qfleet_controlplane.store.database import Database
from qfleet_wire import api
from qfleet_wire.names import DeviceName, Millis, RegionName

_PATIENCE_S = 10.0
_POLL_S = 0.1


class _Found(NamedTuple):
    region: RegionName
    view: api.DeviceView


@dataclass(frozen=True, slots=True)
class Governance:
    """The devices of the API. ``led`` are the regions led here, ``ring`` any of this controller's keys."""

    places: Mapping[RegionName, Settings]
    led: Mapping[RegionName, RegionRuntime]
    database: Database
    ring: Keyring

    async def devices(self) -> Sequence[api.DeviceView]:
        """List the devices of all regions by name."""
        views = {name: view for each in self.led.values() for name, view in each.service.shown().items()}
        if len(self.led) < len(self.places):
            besides = list(self.led)
            for member in await self.database.read(lambda connection: roster.devices(connection, besides)):
                views.setdefault(member.device.name, _view(member))
        return [view for _, view in sorted(views.items())]

    async def device(self, device: DeviceName) -> api.DeviceView:
        """One device. Raises ``NotFound``."""
        return (await self._find(device)).view

    async def telemetry(self, device: DeviceName, since: Millis, limit: int) -> api.TelemetryView:
        """What a device measured last, not before ``since``. Raises ``NotFound``."""
        await self._find(device)
        return await self.database.read(
            lambda connection: measurements.telemetry(connection, device, since, limit)
        )

    async def invite(self, request: api.InviteRequest, who: str) -> api.Invitation:
        """Make a one-time join token.

        Raises:
            InvalidRequest: the name, the region or the validity cannot be.
            Conflict: the name is spent, or another region's.
        """
        device, region = invitations.check(request), self._region_of(request)
        await self._check_free(device, region)
        inviting = self._inviting(region)
        row, token = invitations.make(inviting, request, now=clocks.wall(), random=secrets.token_bytes)
        await self.database.writer.run(lambda connection: registry.add_invitation(connection, row))
        await self._decide(region, events.Invited(device, who))
        return api.Invitation(device, token, row.expires)

    async def revoke(self, device: DeviceName, reason: str, who: str) -> api.DeviceView:
        """Revoke a device for good; its sessions end at once. Raises ``NotFound``."""
        found = await self._find(device)
        return await self._decide(found.region, events.Revoked(device, reason, who))

    async def quarantine(self, device: DeviceName, reason: str, who: str) -> api.DeviceView:
        """Take a device out of service until it is released. Raises ``NotFound``, ``Conflict``."""
        found = await self._find(device)
        _allow(found.view, "quarantined", without=("invited", "revoked", "retired"))
        return await self._decide(found.region, events.Quarantined(device, reason, who))

    async def release(self, device: DeviceName, who: str) -> api.DeviceView:
        """End a device's quarantine. Raises ``NotFound``, ``Conflict``."""
        found = await self._find(device)
        _allow(found.view, "released", only="quarantined")
        return await self._decide(found.region, events.Released(device, who))

    async def retire(self, device: DeviceName, reason: str, who: str) -> api.DeviceView:
        """Take a device out of the fleet in good order. Raises ``NotFound``, ``Conflict``."""
        found = await self._find(device)
        _allow(found.view, "retired", without=("revoked",))
        return await self._decide(found.region, events.Retired(device, reason, who))

    async def _find(self, device: DeviceName) -> _Found:
        for region, each in self.led.items():
            view = each.service.shown().get(device)
            if view is not None:
                return _Found(region, view)
        member = await self.database.read(lambda connection: roster.device(connection, device))
        if member is None:
            raise NotFound(f"there is no device {device!r}: `qfleet device list` shows all")
        return _Found(member.region, _view(member))

    def _region_of(self, request: api.InviteRequest) -> RegionName:
        known = ", ".join(self.places)
        if request.region is None:
            if len(self.places) > 1:
                raise InvalidRequest(f"the fleet has several regions: name one of {known}")
            return next(iter(self.places))
        region = RegionName(request.region)
        if region not in self.places:
            raise InvalidRequest(f"there is no region {request.region!r}: use one of {known}")
        return region

    async def _check_free(self, device: DeviceName, region: RegionName) -> None:
        try:
            found = await self._find(device)
        except NotFound:
            return
        if found.view.status in SHUT_OUT:
            raise Conflict(
                f"device {device!r} is {found.view.status} and its name is spent: invite it under another"
            )
        if found.region != region:
            raise Conflict(
                f"device {device!r} belongs to region {found.region!r}: "
                "invite it there, or under another name"
            )

    def _inviting(self, region: RegionName) -> invitations.Inviting:
        led = self.led.get(region)
        broker = led.broker if led is not None else open_broker(self.places[region])
        if led is None and not isinstance(broker, External):
            raise Unavailable(
                f"region {region!r} has its broker inside the controller that leads it: ask that one"
            )
        return invitations.Inviting(self.ring, region, broker.advertised, broker.logins.enrol)

    async def _decide(self, region: RegionName, event: Decision) -> api.DeviceView:
        led = self.led.get(region)
        if led is not None:
            return await led.decide(event)
        order = ordering.decide(region, event, clocks.wall())
        await self.database.writer.run(lambda connection: orders.put(connection, [order]))
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while await self.database.read(  # noqa: ASYNC110 - another process answers, by the database
                    lambda connection: _waits(connection, order)
                ):
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise Unavailable(
                f"nobody leads region {region!r} now: what was decided about {event.device!r} stands and is "
                "carried out as soon as somebody does"
            ) from None
        return await self.device(event.device)


def _waits(connection: sa.Connection, order: orders.Order) -> bool:
    """Whether anything decided about the device still waits."""
    return any(
        found.order.kind == order.kind and found.order.subject == order.subject
        for found in orders.pending(connection, order.region)
    )


def _allow(view: api.DeviceView, what: str, *, only: str | None = None, without: Sequence[str] = ()) -> None:
    if view.status in without or (only is not None and view.status != only):
        raise Conflict(f"device {view.name!r} is {view.status}: it cannot be {what}")


def _view(member: roster.Member) -> api.DeviceView:
    return portraits.device_view(member.device, member.region)

"""Hands the contact plan of the network that is loaded to the machines of the regions that are led here."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from qfleet_controlplane.errors import Unavailable
from qfleet_controlplane.machine import events
from qfleet_controlplane.machine.state import ContactPlan
from qfleet_controlplane.network import windows
from qfleet_controlplane.network.survey import Survey
from qfleet_controlplane.service.outages import Outage, Words
from qfleet_controlplane.store import networks
from qfleet_controlplane.store.database import Database
from qfleet_wire.names import Millis, RegionName

LOOK_S = 2.0
"""So often it is looked whether another network was loaded, here or by another controller."""
_NOTHING = ContactPlan({}, Millis(0))

_log = logging.getLogger(__name__)


class Machines(Protocol):
    """The service of a region."""

    def post_nowait(self, event: events.Event) -> bool:
        """Hand an event to its machine; False: there is no room now."""


class ContactPlanner:
    """Looks what is loaded; ``led`` says which regions are led here now."""

    def __init__(self, database: Database, led: Callable[[], Mapping[RegionName, Machines]]) -> None:
        self._database = database
        self._led = led
        self._loaded: int | None = None
        self._plan = _NOTHING
        self._told: dict[RegionName, tuple[Machines, ContactPlan]] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        outage = Outage(
            _log, Words("Contact plans are not looked for", "Contact plans are looked for", "plans_stand")
        )
        while True:
            try:
                await self.look()
            except Unavailable as error:
                outage.failed(error)
            else:
                outage.over()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Tell each machine the plan that it was not told yet. Raises ``Unavailable``."""
        number = await self._database.read(networks.number)
        if number != self._loaded:
            self._plan = _NOTHING if number is None else await self._read()
            self._loaded = number
        led = self._led()
        # A service that came after another of the same region knows nothing of what that was told.
        self._told = {region: told for region, told in self._told.items() if region in led}
        for region, service in led.items():
            before, plan = self._told.get(region, (service, _NOTHING))
            if (before is service and plan == self._plan) or not service.post_nowait(
                events.ContactsPlanned(self._plan)
            ):
                continue
            self._told[region] = (service, self._plan)

    async def _read(self) -> ContactPlan:
        found = await self._database.read(networks.loaded)
        if found is None:
            return _NOTHING
        survey = await asyncio.to_thread(msgspec.json.decode, found.survey, type=Survey)
        return ContactPlan(windows.windows(survey), windows.until(survey))

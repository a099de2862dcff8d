"""Accounts by Mosquitto's dynamic security plugin, over MQTT: at once, from anywhere, without a reload.

The plugin writes its whole file at every command, so commands go in small packets, between which the
broker serves its clients. To make thousands of accounts at once, render the file instead
(``qfleet-controlplane broker rebuild --output``).
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any

import aiomqtt

from qfleet_controlplane.broker import clients, mosquitto
from qfleet_controlplane.broker.accounts import Change
from qfleet_controlplane.broker.credentials import device_of, user_of
from qfleet_controlplane.broker.logins import Login
from qfleet_controlplane.broker.mosquitto import Json
from qfleet_controlplane.errors import BrokerUnavailable
from qfleet_wire.names import DeviceName, RegionName

_log = logging.getLogger(__name__)

_PACKET = 2
"""Devices in one message to the plugin."""
_ANSWER_S = 15.0
_EXISTS = "already exists"
_MISSING = "not found"


class Dynsec:
    """The backend for Mosquitto with the plugin.

    Args:
        access: how the controller reaches the broker; its login may administer the plugin.
        region: whose devices these are; other users are left alone.
    """

    def __init__(self, access: Callable[[], clients.Access], region: RegionName) -> None:
        self._access = access
        self._region = region

    async def apply(self, accounts: Mapping[DeviceName, Login], change: Change) -> None:
        """Make and end accounts; return when the plugin has confirmed.

        Raises:
            BrokerUnavailable: the broker is away, or the plugin is missing or refuses.
        """
        async with self._conversation() as plugin:
            added: Mapping[DeviceName, Login] = change.added
            removed = {user_of(self._region, device) for device in change.removed}
            if change.whole:
                there = await plugin.users(self._region)
                added = {
                    device: login
                    for device, login in accounts.items()
                    if login.user not in there or device in change.added
                }
                removed |= there - {login.user for login in accounts.values()}
            await plugin.add(self._region, added)
            await plugin.remove(removed)
        if added or removed:
            _log.info(
                "The broker has %d new accounts of devices, and %d less.",
                len(added),
                len(removed),
                extra={"action": "accounts_changed"},
            )

    async def refresh(self, accounts: Mapping[DeviceName, Login]) -> None:
        """Set every password and role anew, whatever the broker holds; connected devices are cut off once.

        Raises:
            BrokerUnavailable: as ``apply``.
        """
        await self.apply(accounts, Change(whole=True, added=dict(accounts)))

    @asynccontextmanager
    async def _conversation(self) -> "AsyncIterator[_Plugin]":
        access = self._access()
        try:
            async with clients.client(access, "accounts") as client:
                codes = await client.subscribe(mosquitto.CONTROL_ANSWER, qos=1)
                if any(getattr(code, "is_failure", False) for code in codes):
                    raise BrokerUnavailable(
                        f"the login {access.login.user!r} may not administer the broker at {access.address}: "
                        "make its file with 'qfleet-controlplane broker rebuild --output'"
                    )
                yield _Plugin(client)
        except (aiomqtt.MqttError, OSError) as error:
            raise BrokerUnavailable(f"the broker at {access.address} does not answer: {error}") from error


class _Plugin:
    """One conversation with the plugin."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client

    async def users(self, region: RegionName) -> set[str]:
        """Return the users that are a region's devices."""
        (answer,) = await self._ask([{"command": "listClients", "verbose": False, "count": -1, "offset": 0}])
        listed = answer.get("data", {}).get("clients", [])
        return {user for user in listed if device_of(region, user) is not None}

    async def add(self, region: RegionName, devices: Mapping[DeviceName, Login]) -> None:
        """Make accounts; one that exists gets its password and role again."""
        again: list[Json] = []
        for packet in _packets(mosquitto.commands_to_add(region, devices.items())):
            answers = await self._ask(packet)
            for command, answer in zip(packet, answers, strict=True):
                if _EXISTS in answer.get("error", ""):
                    again.append({**command, "command": command["command"].replace("create", "modify")})
                else:
                    _check(answer)
        for packet in _packets((command,) for command in again):
            for answer in await self._ask(packet):
                _check(answer)

    async def remove(self, users: Iterable[str]) -> None:
        """End accounts; those that are gone are no error."""
        for packet in _packets(mosquitto.commands_to_remove(sorted(users))):
            for answer in await self._ask(packet):
                if _MISSING not in answer.get("error", ""):
                    _check(answer)

    async def _ask(self, commands: list[Json]) -> list[dict[str, Any]]:
        try:
            await self._client.publish(mosquitto.CONTROL, json.dumps({"commands": commands}), qos=1)
            async with asyncio.timeout(_ANSWER_S):
                message = await anext(self._client.messages)
        except TimeoutError:
            raise BrokerUnavailable(
                "the broker has no dynamic security plugin that answers: see packaging/brokers/mosquitto"
            ) from None
        assert isinstance(message.payload, bytes)
        answers: list[dict[str, Any]] = json.loads(message.payload).get("responses", [])
        if len(answers) != len(commands):
            raise BrokerUnavailable(f"the broker answered {len(answers)} of {len(commands)} commands")
        return answers


def _packets(groups: Iterable[tuple[Json, ...]]) -> Iterable[list[Json]]:
    """Join the commands of a few devices at a time."""
    rest = iter(groups)
    while taken := list(islice(rest, _PACKET)):
        yield [command for group in taken for command in group]


def _check(answer: Mapping[str, Any]) -> None:
    if "error" in answer:
        raise BrokerUnavailable(f"the broker refused {answer.get('command')!r}: {answer['error']}")

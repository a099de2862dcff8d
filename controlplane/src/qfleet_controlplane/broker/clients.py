"""MQTT clients as this project needs them: 3.1.1, clean session, no Nagle, few in flight.

QoS 1 costs 44 ms a hop where one side leaves Nagle's algorithm on, so every TCP socket gets
``TCP_NODELAY``.
"""

import asyncio
import itertools
import secrets
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiomqtt

from qfleet_controlplane.broker.addresses import Address
from qfleet_controlplane.broker.logins import Login
from qfleet_controlplane.errors import BrokerUnavailable

_NO_DELAY = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
IN_FLIGHT = 20
"""Most unacknowledged publications of one client."""


@dataclass(frozen=True, slots=True)
class Access:
    """All that is needed to reach a broker in one role."""

    address: Address
    login: Login
    ca_file: str = ""


def in_turn(accesses: Callable[[], tuple[Access, ...]]) -> Callable[[], Access]:
    """Make a function that gives another node at each attempt, for the last one may be dead."""
    turns = itertools.count()

    def following() -> Access:
        nodes = accesses()
        return nodes[next(turns) % len(nodes)]

    return following


def client(
    access: Access,
    name: str,
    *,
    queue_type: type[asyncio.Queue[aiomqtt.Message]] | None = None,
    timeout_s: float = 10.0,
) -> aiomqtt.Client:
    """Make a client that is not connected yet.

    The identifier ends in random digits: a broker drops the older of two clients of one
    name, and whoever holds any login could otherwise take the controller's place.
    """
    options: dict[str, Any] = {}
    if access.address.scheme != "unix":
        options["socket_options"] = _NO_DELAY
    if access.address.scheme == "mqtts":
        options["tls_context"] = ssl.create_default_context(cafile=access.ca_file or None)
    made = aiomqtt.Client(
        access.address.host,
        access.address.port or 1,
        username=access.login.user or None,
        password=access.login.password or None,
        identifier=f"{name}-{secrets.token_hex(8)}",
        protocol=aiomqtt.ProtocolVersion.V311,
        clean_session=True,
        transport="unix" if access.address.scheme == "unix" else "tcp",
        keepalive=30,
        timeout=timeout_s,
        max_inflight_messages=IN_FLIGHT,
        max_concurrent_outgoing_calls=IN_FLIGHT,
        queue_type=queue_type,
        **options,
    )
    made.pending_calls_threshold = 10 * IN_FLIGHT
    return made


async def probe(access: Access) -> None:
    """Connect and leave again; raise ``BrokerUnavailable`` when that does not work."""
    try:
        async with client(access, "probe", timeout_s=3.0):
            pass
    except (aiomqtt.MqttError, OSError) as error:
        raise BrokerUnavailable(f"the broker at {access.address} does not answer: {error}") from error

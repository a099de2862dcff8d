"""One MQTT connection that stays: it connects again with back-off and tells who asks.

Messages are handed on from inside the client's queue, which saves a task switch per message. A
receiver must return quickly and must not raise.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import aiomqtt
from paho.mqtt.reasoncodes import ReasonCode

from qfleet_controlplane.broker import clients
from qfleet_controlplane.errors import BrokerUnavailable

_log = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 30.0
_STABLE_S = 60.0
_QOS = 1

Receive = Callable[[str, bytes], None]


@dataclass(frozen=True, slots=True)
class Retained:
    """A message that is published, retained, on every new connection."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a connection is for.

    ``subscriptions`` pairs a topic filter with its quality of service; ``receive`` is called with
    topic and payload of every message; ``retained`` is published, and ``came_up`` called, on every
    new connection, and ``went_down`` when it has ended.
    """

    subscriptions: tuple[tuple[str, int], ...]
    retained: tuple[Retained, ...]
    receive: Receive
    came_up: Callable[[], None]
    went_down: Callable[[], None]


class Connection:
    """A connection to the broker.

    Args:
        access: where the broker is and with which login; asked anew on every attempt.
        name: the client's name.
        traffic: what it subscribes to, publishes and calls.
    """

    def __init__(self, access: Callable[[], clients.Access], name: str, traffic: Traffic) -> None:
        self._access = access
        self._name = name
        self._traffic = traffic
        self._queue_type = _handing_on(traffic.receive)
        self._client: aiomqtt.Client | None = None
        self._up = asyncio.Event()
        self._random = Random()  # noqa: S311 - jitter, not a secret
        self.connections = 0

    @property
    def up(self) -> bool:
        """Whether the broker can be reached now."""
        return self._client is not None

    async def wait_up(self) -> None:
        """Return once connected."""
        await self._up.wait()

    async def publish(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 1 and return when the broker has it.

        Raises:
            BrokerUnavailable: it does not have it; the caller may try again when the link is up.
        """
        if self._client is None:
            raise BrokerUnavailable("the broker is not connected")
        try:
            await self._client.publish(topic, payload, qos=_QOS)
        except aiomqtt.MqttError as error:
            raise BrokerUnavailable(f"the broker did not take a message: {error}") from error

    async def run(self) -> None:
        """Stay connected until cancelled."""
        pause = _FIRST_PAUSE_S
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            try:
                await self._connected_once()
            except (aiomqtt.MqttError, OSError) as error:
                _log.warning("The broker's connection is down: %s", error, extra={"action": "link_down"})
            except Exception:  # noqa: BLE001 - whatever it is: a region that never connects again is worse
                _log.exception("The broker's connection failed.", extra={"action": "link_failed"})
            if loop.time() - started >= _STABLE_S:
                pause = _FIRST_PAUSE_S
            await asyncio.sleep(pause * self._random.uniform(0.5, 1.5))
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    async def _connected_once(self) -> None:
        access = self._access()
        async with clients.client(access, self._name, queue_type=self._queue_type) as client:
            await self._subscribe(client)
            await self._publish_retained(client)
            self._client = client
            self._up.set()
            self.connections += 1
            self._traffic.came_up()
            _log.info("Connected to the broker at %s.", access.address, extra={"action": "link_up"})
            try:
                # The queue stays empty, so this waits for the end of the connection.
                async for _ in client.messages:
                    pass
            finally:
                self._client = None
                self._up.clear()
                self._traffic.went_down()

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        wanted = self._traffic.subscriptions
        codes = await client.subscribe(list(wanted))
        for (topic, _), code in zip(wanted, codes, strict=True):
            if not isinstance(code, ReasonCode) or code.is_failure:
                raise aiomqtt.MqttError(f"the broker refuses this login a subscription to {topic}")

    async def _publish_retained(self, client: aiomqtt.Client) -> None:
        for message in self._traffic.retained:
            await client.publish(message.topic, message.payload, qos=_QOS, retain=True)


def _handing_on(receive: Receive) -> type[asyncio.Queue[aiomqtt.Message]]:
    """Make a queue type that keeps nothing and gives each message to ``receive``."""

    class HandingOn(asyncio.Queue[aiomqtt.Message]):
        def put_nowait(self, item: aiomqtt.Message) -> None:
            if isinstance(item.payload, bytes):
                receive(str(item.topic), item.payload)

    return HandingOn

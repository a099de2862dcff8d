"""What each login may do at brokers that were started from the packaged files, with TLS."""

import asyncio
import contextlib
import gc
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import aiomqtt
import pytest
from tests.integration import broker_certificates
from tests.integration.packaged_brokers import (
    FiledMosquitto,
    NatsSite,
    SecuredMosquitto,
    control_plane,
    started,
)

from qfleet_controlplane import settings
from qfleet_controlplane.broker import clients, credentials
from qfleet_controlplane.broker.addresses import parse_address
from qfleet_controlplane.broker.logins import Login
from qfleet_controlplane.broker.services import External
from qfleet_controlplane.errors import BrokerUnavailable
from qfleet_wire.names import DeviceName, RegionName
from qfleet_wire.topics import AuthorityTopic, Channel, DeviceTopic, subscription, topic_for

Packaged: TypeAlias = "SecuredMosquitto | NatsSite"

REGION = RegionName("north")
AUTHORITY = topic_for(AuthorityTopic(REGION))
WRITTEN = {Channel.HELLO, Channel.UP, Channel.PEER, Channel.PRESENCE}
READ = {Channel.DOWN, Channel.PEER}


def topic(channel: Channel, device: str = "pi-1") -> str:
    return topic_for(DeviceTopic(REGION, DeviceName(device), channel))


def login_of(name: str, secret: bytes = b"s" * 32) -> dict[DeviceName, Login]:
    device = DeviceName(name)
    return {device: credentials.derive(secret, REGION, device)}


@dataclass
class Guarded:
    """A broker with accounts of ``pi-1`` and ``pi-2``."""

    site: Packaged
    broker: External

    def connect(self, login: Login, will: aiomqtt.Will | None = None) -> aiomqtt.Client:
        made = clients.client(replace(self.broker.access, login=login), "test")
        if will is not None:
            made._client.will_set(will.topic, will.payload, will.qos)
        return made

    def device(self, name: str = "pi-1") -> aiomqtt.Client:
        (login,) = login_of(name).values()
        return self.connect(login)

    def controller(self) -> aiomqtt.Client:
        return self.connect(self.broker.logins.controller)


KINDS: dict[str, Callable[[Path], Packaged]] = {
    "nats": lambda folder: NatsSite(folder).single(),
    "mosquitto": SecuredMosquitto,
    "mosquitto-files": FiledMosquitto,
}


@pytest.fixture(params=sorted(KINDS))
def packaged(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Packaged]:
    site = KINDS[request.param](tmp_path)
    with started(*site.processes):
        yield site


@contextlib.asynccontextmanager
async def guarded(site: Packaged) -> AsyncIterator[Guarded]:
    broker = External(settings.read(site.directory / "controlplane.toml"))
    await broker.accounts.start(login_of("pi-1"))
    try:
        await broker.accounts.ensure(login_of("pi-2"))
        yield Guarded(site, broker)
    finally:
        await broker.stop()


def run(site: Packaged, main: Callable[[Guarded], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60), guarded(site) as given:
            await main(given)

    asyncio.run(bounded())


async def heard(client: aiomqtt.Client, until: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    async with asyncio.timeout(10):
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            if message.payload == until:
                return found
            found[str(message.topic)] = message.payload
    raise AssertionError("the connection ended")


async def listen(client: aiomqtt.Client, *topics: str) -> None:
    for one in topics:
        await client.subscribe(one, qos=1)


def test_a_device_uses_its_own_topics_and_no_other(packaged: Packaged) -> None:
    async def main(guarded: Guarded) -> None:
        async with guarded.controller() as controller, guarded.device() as device:
            await listen(controller, *(subscription(REGION, channel) for channel in Channel))
            for name in ("pi-1", "pi-2"):
                await listen(device, *(topic(channel, name) for channel in Channel))
            await listen(device, AUTHORITY, "#", *(subscription(REGION, channel) for channel in Channel))
            for name in ("pi-2", "pi-1"):
                for channel in Channel:
                    await device.publish(topic(channel, name), name.encode(), qos=1)
            await device.publish(AUTHORITY, b"forged", qos=1, retain=True)
            await controller.publish(topic(Channel.UP, "last"), b"end", qos=1)
            assert await heard(controller, b"end") == {topic(channel): b"pi-1" for channel in WRITTEN}
            for name in ("pi-2", "pi-1"):
                for channel in set(Channel) - {Channel.PEER}:
                    await controller.publish(topic(channel, name), name.encode(), qos=1)
            await controller.publish(AUTHORITY, b"record", qos=1, retain=True)
            await controller.publish(topic(Channel.PEER), b"end", qos=1)
            expected = {topic(channel): b"pi-1" for channel in READ} | {AUTHORITY: b"record"}
            assert await heard(device, b"end") == expected

    run(packaged, main)


def test_the_login_of_join_tokens_can_enrol_and_nothing_else(packaged: Packaged) -> None:
    async def main(guarded: Guarded) -> None:
        enrol = guarded.broker.logins.enrol
        async with guarded.controller() as controller, guarded.connect(enrol) as invited:
            await listen(controller, *(subscription(REGION, channel) for channel in Channel))
            await listen(invited, "#", "$SYS/#", "$CONTROL/#")
            await listen(invited, *(topic(channel) for channel in Channel), AUTHORITY)
            for channel in Channel:
                await invited.publish(topic(channel), b"invited", qos=1)
            await controller.publish(topic(Channel.UP, "last"), b"end", qos=1)
            assert await heard(controller, b"end") == {topic(Channel.ENROL): b"invited"}
            for channel in set(Channel) - {Channel.ENROL}:
                await controller.publish(topic(channel), b"for the device", qos=1)
            await controller.publish(topic(Channel.ENROL), b"end", qos=1)
            assert await heard(invited, b"end") == {topic(Channel.ENROL): b"invited"}

    run(packaged, main)


def test_strangers_and_devices_that_were_shut_out_are_turned_away(packaged: Packaged) -> None:
    async def main(guarded: Guarded) -> None:
        (wrong,) = login_of("pi-1", secret=b"w" * 32).values()
        for login in (wrong, Login("north/pi-1", ""), Login("", "")):
            with pytest.raises(aiomqtt.MqttError):
                async with guarded.connect(login):
                    pass
        async with guarded.device("pi-2") as stays, guarded.device("pi-1") as goes:
            await guarded.broker.accounts.remove(DeviceName("pi-1"))
            with pytest.raises(aiomqtt.MqttError):
                await anext(goes.messages)  # the broker ends the connection that stands
            await listen(stays, topic(Channel.PEER, "pi-2"))
            await stays.publish(topic(Channel.PEER, "pi-2"), b"end", qos=1)
            await heard(stays, b"end")
        with pytest.raises(aiomqtt.MqttError):
            async with guarded.device("pi-1"):
                pass

    run(packaged, main)


def test_a_lost_device_leaves_its_will_and_a_new_one_finds_the_record(packaged: Packaged) -> None:
    async def main(guarded: Guarded) -> None:
        (login,) = login_of("pi-1").values()
        will = aiomqtt.Will(topic(Channel.PRESENCE), b"", qos=1)
        async with guarded.controller() as controller:
            await listen(controller, topic(Channel.PRESENCE))
            await controller.publish(AUTHORITY, b"record", qos=1, retain=True)
            with contextlib.suppress(aiomqtt.MqttError):
                async with guarded.connect(login, will) as lost:
                    await listen(lost, AUTHORITY)
                    message = await anext(lost.messages)
                    assert (message.payload, message.retain) == (b"record", True)
                    sock = lost._client.socket()
                    assert isinstance(sock, socket.socket)
                    sock.shutdown(socket.SHUT_RDWR)  # as if the device had lost power
            async with asyncio.timeout(20):
                message = await anext(controller.messages)
            assert (str(message.topic), message.payload) == (topic(Channel.PRESENCE), b"")

    run(packaged, main)


# paho-mqtt leaves the socket of a refused certificate to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("wrong", ["authority", "name"])
def test_a_wrong_certificate_is_said_clearly(packaged: Packaged, tmp_path: Path, wrong: str) -> None:
    (tmp_path / "other").mkdir()
    other = broker_certificates.make(tmp_path / "other")

    async def main(guarded: Guarded) -> None:
        access = guarded.broker.access
        if wrong == "authority":
            access = replace(access, ca_file=str(other.authority))
        else:  # the certificate is for the address only
            access = replace(access, address=parse_address(f"mqtts://localhost:{access.address.port}"))
        with pytest.raises(BrokerUnavailable, match="certificate verify failed") as caught:
            await clients.probe(access)
        assert str(access.address) in str(caught.value)

    run(packaged, main)
    gc.collect()


def test_the_check_tries_every_login(packaged: Packaged, capsys: pytest.CaptureFixture[str]) -> None:
    control_plane("broker", "check", directory=packaged.directory)
    said = capsys.readouterr().out
    assert "the login of join tokens" in said
    assert "uses its own topics and no other device's" in said

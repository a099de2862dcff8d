import asyncio
import contextlib
import os
import secrets
import signal
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import aiomqtt
import pytest

from qfleet_controlplane.broker import clients, credentials, logins, ports
from qfleet_controlplane.broker.accounts import Accounts
from qfleet_controlplane.broker.services import Embedded, External, open_broker
from qfleet_controlplane.errors import BrokerUnavailable
from qfleet_controlplane.settings import Broker, Settings
from qfleet_wire.names import DeviceName, RegionName
from qfleet_wire.topics import AuthorityTopic, Channel, DeviceTopic, subscription, topic_for

REGION = RegionName("north")
AUTHORITY = topic_for(AuthorityTopic(REGION))


def topic(channel: Channel, device: str = "pi-1") -> str:
    return topic_for(DeviceTopic(REGION, DeviceName(device), channel))


def settings(directory: Path, url: str = "embedded") -> Settings:
    return Settings(
        fleet="f", region=REGION, state=str(directory), broker=Broker(url=url, port=0, allow_remote=False)
    )


@contextlib.asynccontextmanager
async def embedded(directory: Path) -> AsyncIterator[Embedded]:
    broker = open_broker(settings(directory))
    assert isinstance(broker, Embedded)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await main()

    asyncio.run(bounded())


async def granted(client: aiomqtt.Client, pattern: str) -> bool:
    (code,) = await client.subscribe(pattern, qos=1)
    return code in (0, 1, 2) if isinstance(code, int) else not code.is_failure


async def heard(client: aiomqtt.Client, until: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    async with asyncio.timeout(10):
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            if message.payload == until:
                return found
            found[str(message.topic)] = message.payload
    raise AssertionError("the connection ended")


def connect(broker: Embedded, login: logins.Login) -> aiomqtt.Client:
    return clients.client(clients.Access(broker.access.address, login), "test")


def login_of(name: str) -> tuple[DeviceName, logins.Login]:
    device = DeviceName(name)
    return device, credentials.derive(b"s" * 32, REGION, device)


ROLES = {
    "device": (
        {Channel.HELLO, Channel.UP, Channel.PEER, Channel.PRESENCE},
        {Channel.DOWN, Channel.PEER},
    ),
    "enrol": ({Channel.ENROL}, {Channel.ENROL}),
}


def test_a_device_uses_its_own_topics_and_no_other(tmp_path: Path) -> None:
    writable, readable = ROLES["device"]

    async def main() -> None:
        async with embedded(tmp_path) as broker:
            await broker.accounts.start(dict([login_of("pi-1"), login_of("pi-2")]))
            await broker.accounts.ensure(dict([login_of("pi-1")]))
            async with (
                connect(broker, broker.logins.controller) as controller,
                connect(broker, login_of("pi-1")[1]) as device,
            ):
                for channel in Channel:
                    assert await granted(controller, subscription(REGION, channel))
                    assert await granted(device, topic(channel)) == (channel in readable)
                    assert not await granted(device, topic(channel, "pi-2"))
                    assert not await granted(device, subscription(REGION, channel))
                assert await granted(device, AUTHORITY)
                for name in ("pi-2", "pi-1"):
                    for channel in Channel:
                        await device.publish(topic(channel, name), name.encode(), qos=1)
                await controller.publish(topic(Channel.UP, "last"), b"end", qos=1)
                heard_of = await heard(controller, b"end")
                assert heard_of == {topic(channel): b"pi-1" for channel in writable}

    run(main)


def test_live_connections_survive_new_and_removed_accounts(tmp_path: Path) -> None:
    async def main() -> None:
        async with embedded(tmp_path) as broker:
            await broker.accounts.start({})
            await broker.accounts.ensure(dict([login_of("pi-1"), login_of("pi-2")]))
            async with (
                connect(broker, broker.logins.controller) as controller,
                connect(broker, login_of("pi-1")[1]) as stays,
                connect(broker, login_of("pi-2")[1]) as goes,
            ):
                assert await granted(controller, subscription(REGION, Channel.UP))
                await broker.accounts.remove(DeviceName("pi-2"))
                with pytest.raises(aiomqtt.MqttError):
                    await anext(goes.messages)
                await broker.accounts.ensure(dict([login_of("pi-3")]))
                await stays.publish(topic(Channel.UP), b"here", qos=1)
                await stays.publish(topic(Channel.UP), b"end", qos=1)
                assert await heard(controller, b"end") == {topic(Channel.UP): b"here"}
            with pytest.raises(BrokerUnavailable):
                await clients.probe(clients.Access(broker.access.address, login_of("pi-2")[1]))
        async with embedded(tmp_path) as again:  # before anybody has read the device table
            await clients.probe(clients.Access(again.access.address, login_of("pi-1")[1]))

    run(main)


def test_a_shared_login_of_before_goes_on_until_it_is_deleted(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    before = logins.generate(secrets.token_bytes, shared=True)
    path = tmp_path / "broker" / "logins.toml"
    logins.write(path, before)

    async def with_it() -> None:
        async with embedded(tmp_path) as broker, connect(broker, before.device) as device:
            await broker.accounts.start(dict([login_of("pi-1")]))
            await broker.accounts.ensure(dict([login_of("pi-2")]))
            for channel in Channel:
                for name in ("pi-1", "pi-9"):
                    assert await granted(device, topic(channel, name)) == (channel in ROLES["device"][1])

    async def without_it() -> None:
        async with embedded(tmp_path) as broker:
            with pytest.raises(BrokerUnavailable):
                await clients.probe(clients.Access(broker.access.address, before.device))
            await clients.probe(clients.Access(broker.access.address, login_of("pi-1")[1]))

    run(with_it)
    path.unlink()
    logins.write(path, replace(before, device=logins.NO_LOGIN))
    run(without_it)


def test_many_accounts_at_once_are_few_reloads(tmp_path: Path) -> None:
    async def main() -> None:
        async with embedded(tmp_path) as broker:
            assert isinstance(broker.accounts, Accounts)
            await broker.accounts.start({})
            wanted = [login_of(f"pi-{number}") for number in range(500)]
            await asyncio.gather(*(broker.accounts.ensure(dict([one])) for one in wanted))
            assert broker.accounts.rounds <= 5
            for _, login in wanted[::100]:
                await clients.probe(clients.Access(broker.access.address, login))

    run(main)


@pytest.mark.parametrize("role", ["enrol"])
def test_a_login_reads_and_writes_its_own_topics_only(tmp_path: Path, role: str) -> None:
    writable, readable = ROLES[role]

    async def main() -> None:
        async with embedded(tmp_path) as broker:
            login = getattr(broker.logins, role)
            async with (
                connect(broker, broker.logins.controller) as controller,
                connect(broker, login) as tested,
            ):
                for channel in Channel:
                    assert await granted(controller, subscription(REGION, channel))
                    assert await granted(tested, topic(channel)) == (channel in readable)
                    # A login that may read nothing of a channel may not read it by a pattern either.
                    assert await granted(tested, subscription(REGION, channel)) == (channel in readable)
                assert await granted(tested, AUTHORITY)
                assert not await granted(tested, "#")
                assert not await granted(tested, "$SYS/#")
                for channel in Channel:
                    await tested.publish(topic(channel), str(channel).encode(), qos=1)
                await tested.publish(AUTHORITY, b"forged", qos=1, retain=True)
                await controller.publish(topic(Channel.UP, "last"), b"end", qos=1)
                assert set(await heard(controller, b"end")) == {topic(channel) for channel in writable}

    run(main)


def test_an_unknown_login_is_turned_away(tmp_path: Path) -> None:
    async def main() -> None:
        async with embedded(tmp_path) as broker:
            for stranger in (logins.Login("enrol", "wrong"), logins.Login("", "")):
                with pytest.raises(BrokerUnavailable):
                    await clients.probe(clients.Access(broker.access.address, stranger))

    run(main)


def test_a_killed_broker_comes_back_on_the_same_port(tmp_path: Path) -> None:
    async def main() -> None:
        async with embedded(tmp_path) as broker:
            port, pid = broker.access.address.port, broker.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            async with asyncio.timeout(20):
                while broker.restarts == 0:  # noqa: ASYNC110 - the supervisor offers no event
                    await asyncio.sleep(0.02)
            assert broker.pid not in (None, pid)
            assert broker.access.address.port == port
            await clients.probe(broker.access)
        async with embedded(tmp_path) as again:
            assert again.access.address.port == port

    run(main)


def test_stopping_leaves_no_process(tmp_path: Path) -> None:
    async def main() -> None:
        async with embedded(tmp_path) as broker:
            pid = broker.pid
            assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    run(main)


def test_files_with_passwords_are_private(tmp_path: Path) -> None:
    async def main() -> None:
        async with embedded(tmp_path) as broker:
            for name in ("nats.conf", "logins.toml"):
                mode = stat.S_IMODE((tmp_path / "broker" / name).stat().st_mode)
                assert mode == 0o600
            assert broker.logins.enrol.password not in repr(broker.logins)

    run(main)


def test_a_taken_port_is_an_error_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_PATIENCE_S", 0.0)

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as holder:
            port = holder.getsockname()[1]
            with pytest.raises(BrokerUnavailable, match=str(port)):
                await ports.choose("127.0.0.1", port, tmp_path / "port")

    run(main)


def test_any_mqtt_broker_serves_by_url(tmp_path: Path, mosquitto: str) -> None:
    async def main() -> None:
        broker = open_broker(settings(tmp_path, mosquitto))
        assert isinstance(broker, External)
        await broker.start()
        await clients.probe(broker.access)
        assert broker.advertised == mosquitto

    run(main)

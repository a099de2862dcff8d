"""Trying at a broker what each login may do: messages that must arrive, and messages that must not.

Only delivery counts, since some brokers grant a subscription and then deliver nothing. A device that
does not exist stands for any other one.
"""

import asyncio
import secrets
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiomqtt

from qfleet_controlplane.broker import clients
from qfleet_controlplane.broker.logins import Login
from qfleet_controlplane.broker.services import open_broker
from qfleet_controlplane.errors import BrokerUnavailable
from qfleet_controlplane.settings import Settings
from qfleet_wire.names import DeviceName, RegionName
from qfleet_wire.topics import Channel, DeviceTopic, subscription, topic_for

_NOBODY = DeviceName("nobody-checks-0")
_ARRIVES_S = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of trying one login."""

    fine: bool
    text: str


@dataclass(frozen=True, slots=True)
class _Trial:
    """A login, a topic that it may write, one that it may read, and whom it is for."""

    name: str
    login: Login
    written: str
    read: str


async def inspect(settings: Settings, devices: Mapping[DeviceName, Login]) -> list[Finding]:
    """Try the logins of one region; ``devices`` are those with accounts, of which the first is tried."""
    broker = open_broker(settings)
    region = RegionName(settings.region)
    trials = [_enrolment(region, broker.logins.enrol)]
    trials += [_device(region, device, login) for device, login in list(devices.items())[:1]]
    findings = []
    for access in broker.accesses:
        for trial in trials:
            try:
                findings.append(await _try(access, region, trial))
            except (BrokerUnavailable, aiomqtt.MqttError, OSError) as error:
                findings.append(Finding(fine=False, text=f"{trial.name} at {access.address}: {error}"))
    return findings


def _enrolment(region: RegionName, login: Login) -> _Trial:
    topic = topic_for(DeviceTopic(region, _NOBODY, Channel.ENROL))
    return _Trial("the login of join tokens", login, topic, topic)


def _device(region: RegionName, device: DeviceName, login: Login) -> _Trial:
    written = topic_for(DeviceTopic(region, device, Channel.PEER))
    return _Trial(f"the login of {device}", login, written, written)


async def _try(access: clients.Access, region: RegionName, trial: _Trial) -> Finding:
    """Let the login and the control plane send to each other what is allowed and what is not."""
    forbidden_up = topic_for(DeviceTopic(region, _NOBODY, Channel.PRESENCE))
    forbidden_down = topic_for(DeviceTopic(region, _NOBODY, Channel.DOWN))
    mark = f"check-{secrets.token_hex(8)}".encode()
    async with AsyncExitStack() as stack:
        own = await stack.enter_async_context(clients.client(access, "check"))
        tried_access = clients.Access(access.address, trial.login, access.ca_file)
        tried = await stack.enter_async_context(clients.client(tried_access, "check"))
        for topic in (forbidden_down, "#", subscription(region, Channel.UP), trial.read):
            await tried.subscribe(topic, qos=1)
        await own.subscribe(forbidden_up, qos=1)
        await own.subscribe(trial.written, qos=1)
        await tried.publish(forbidden_up, mark, qos=1)
        await tried.publish(trial.written, mark, qos=1)
        wrote = await _heard(own, mark, until=trial.written)
        await own.publish(forbidden_down, mark, qos=1)
        await own.publish(trial.read, mark, qos=1)
        read = await _heard(tried, mark, until=trial.read)
    return _judge(trial, access, wrote, read)


def _judge(trial: _Trial, access: clients.Access, wrote: set[str], read: set[str]) -> Finding:
    where = f"{trial.name} at {access.address}"
    more = (wrote - {trial.written}) | (read - {trial.read})
    if more:
        return Finding(fine=False, text=f"{where} reaches what it must not: {', '.join(sorted(more))}")
    if trial.written not in wrote or trial.read not in read:
        return Finding(fine=False, text=f"{where} does not reach {trial.written}, which it may use")
    return Finding(fine=True, text=f"{where} uses its own topics and no other device's")


async def _heard(client: aiomqtt.Client, mark: bytes, *, until: str) -> set[str]:
    """Return the topics on which the mark came, up to the one that was sent last."""
    heard: set[str] = set()
    try:
        async with asyncio.timeout(_ARRIVES_S):
            async for message in client.messages:
                if message.payload == mark:
                    heard.add(str(message.topic))
                    if str(message.topic) == until:
                        break
    except TimeoutError:
        pass
    return heard

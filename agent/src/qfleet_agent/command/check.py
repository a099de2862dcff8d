"""``qfleet-agent check``: looks at all that the agent needs, and says what to do where it lacks."""

import asyncio
import datetime as dt
import secrets
import ssl
import stat
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

import aiomqtt
import msgspec

from qfleet_agent import clock
from qfleet_agent.command import exits
from qfleet_agent.daemon import capacity, cluster_site, gateways, mixing, place
from qfleet_agent.errors import AgentError, NotEnrolled
from qfleet_agent.journal import journal, membership, vault
from qfleet_agent.journal.layout import Name
from qfleet_agent.journal.membership import Membership
from qfleet_agent.journal.store import Store
from qfleet_agent.link import broker
from qfleet_agent.settings import QuantumKeys, Settings
from qfleet_agent.ways import contact
from qfleet_agent.ways.way import Way
from qfleet_agent.workers.bridge_frames import Site, Trouble
from qfleet_agent.workers.cluster import Cluster
from qfleet_wire.channel import authority
from qfleet_wire.errors import WireError
from qfleet_wire.topics import Channel, DeviceTopic, topic_for

_DELAYED_ACK_MS = 40.0
"""Round trips of a multiple of this mean that Nagle's algorithm waits for delayed acknowledgements."""
_ROUNDS = 5
_CLUSTER_S = 20.0
_DAY_MS = 86_400_000


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    what: str
    verdict: Literal["fine", "warning", "failure"]
    text: str


def run(settings: Settings, *, as_json: bool) -> int:
    """Print the findings; exit 1 when one is a failure."""
    findings = list(look(settings))
    if as_json:
        sys.stdout.write(msgspec.json.encode(findings).decode() + "\n")
    else:
        for one in findings:
            sys.stdout.write(f"{one.verdict:8} {one.what:12} {one.text}\n")
    return exits.INTERNAL if any(one.verdict == "failure" for one in findings) else exits.FINE


def look(settings: Settings) -> Iterator[Finding]:
    """Look at one thing after the other."""
    yield _guarded("device", lambda: _device(settings))
    if settings.scheduler is not None:
        yield _guarded("executor", lambda: asyncio.run(_cluster(settings)))
    yield _guarded("state", lambda: _state(settings))
    if settings.keys.applications:
        yield _guarded("keys", lambda: _keys(settings))
    yield from _mixing(settings)
    held: list[Membership] = []
    yield _guarded("identity", lambda: _identity(settings, held))
    for way in settings.link.routes if held else ():
        what = f"way {way.name}" if settings.link.ways else "broker"
        yield _guarded(what, partial(_reach, way, settings, held[0]))


def _guarded(what: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except (AgentError, WireError, OSError, aiomqtt.MqttError, TimeoutError) as error:
        return Finding(what, "failure", str(error) or type(error).__name__)


def _device(settings: Settings) -> Finding:
    here = place.survey(settings)
    if settings.scheduler is not None:
        return Finding("device", "fine", f"profile {here.profile.name}; tasks run on {settings.executor}")
    engines = ", ".join(f"{engine.name} {engine.version}" for engine in here.engines)
    text = (
        f"profile {here.profile.name}: {here.bounds.workers} workers, "
        f"up to {here.bounds.max_qubits} qubits; engines {engines or 'none'}"
    )
    if not any(kind.startswith("circuit.") for kind in here.bounds.kinds):
        return Finding("device", "warning", f"{text}: no circuits run, install qfleet-agent[circuits]")
    return Finding("device", "fine", text)


async def _cluster(settings: Settings) -> Finding:
    """Ask the cluster what it is, as the agent does when it starts."""
    found: asyncio.Queue[Site | Trouble] = asyncio.Queue()
    asked = Cluster(cluster_site.connection(settings), lambda _: None, found.put_nowait)
    await asked.start()
    try:
        async with asyncio.timeout(_CLUSTER_S):
            answer = await found.get()
    except TimeoutError:
        answer = Trouble(f"no answer in {_CLUSTER_S:g} s")
    finally:
        await asked.close()
    if isinstance(answer, Trouble):
        return Finding("executor", "failure", f"{settings.executor}: {answer.text}")
    engines = ", ".join(f"{engine.name} {engine.version}" for engine in answer.engines)
    qubits = capacity.widest(answer.task_memory_bytes)
    text = (
        f"{cluster_site.describe(settings.executor, answer)}; up to {qubits} qubits; "
        f"engines {engines or 'none'}"
    )
    return Finding("executor", "warning" if answer.refused or not answer.threads else "fine", text)


def _keys(settings: Settings) -> Finding:
    try:
        from qfleet_agent.delivery import looking  # noqa: PLC0415  # only where the extra is installed
    except ModuleNotFoundError as error:
        return Finding("keys", "failure", f"{error}: install qfleet-agent[keys]")
    found = looking.look(settings, dt.datetime.now(dt.UTC), ssl.OPENSSL_VERSION_INFO)
    return Finding("keys", found.verdict, found.text)


def _mixing(settings: Settings) -> Iterator[Finding]:
    """The key delivery whose keys sessions mix in, where there is one or the profile demands one."""
    qkd = settings.channel.qkd
    if qkd is not None:
        yield _guarded("quantum key", partial(_supply, qkd))
        return
    try:
        demand = place.survey(settings).profile.security.quantum_key
    except AgentError:
        return  # what is wrong with the device was said
    if demand != "off":
        text = f"the profile says {demand}, and no key delivery is configured: set [channel.qkd]"
        yield Finding("quantum key", "failure" if demand == "require" else "warning", text)


def _supply(qkd: QuantumKeys) -> Finding:
    stored = mixing.caller(qkd).stored()
    text = f"{qkd.url} has {stored} keys to share with {qkd.controller}"
    return Finding("quantum key", "fine" if stored else "warning", text)


def _state(settings: Settings) -> Finding:
    mode = stat.S_IMODE(settings.state.stat().st_mode)
    if mode & 0o077:
        return Finding(
            "state", "warning", f"{settings.state} is open to others (mode {mode:04o}): chmod 0700 it"
        )
    return Finding("state", "fine", str(settings.state))


def _identity(settings: Settings, held: list[Membership]) -> Finding:
    path = journal.path_in(settings.state)
    if not path.exists():
        raise NotEnrolled
    store = Store(path)
    try:
        found = membership.read(store.get(Name.MEMBERSHIP))
    finally:
        store.close()
    identity = vault.load(settings.state).current
    known = authority.read_record(found.authority, found.authority_hash)
    own = authority.credentials(identity.seed, identity.chain, known)
    held.append(found)
    left = own.peer.validity.not_after - clock.Clock(clock.RELEASED).now()
    name = f"{found.device} of fleet {found.fleet}, region {found.region}"
    if left < 0:
        return Finding("identity", "warning", f"{name}; the certificate has ended and will be renewed")
    return Finding("identity", "fine", f"{name}; {left // _DAY_MS} days left")


def _reach(way: Way, settings: Settings, held: Membership) -> Finding:
    """Whether a way's broker answers; one that has a plan need not be there now."""
    what = f"way {way.name}" if settings.link.ways else "broker"
    now = clock.Clock(clock.RELEASED).now()
    seen = None if way.contact is None else contact.outlook(way.contact, now)
    if seen is not None and seen.present is None:
        return Finding(what, "fine", "no contact window is open now")
    address = gateways.gateway(way, settings.link, held).address
    return asyncio.run(_broker(what, address, way.broker or settings.link.broker or held.broker, held))


async def _broker(what: str, address: broker.Broker, url: str, held: Membership) -> Finding:
    client = broker.client(
        address, lambda _topic, _payload: None, identifier=f"check-{secrets.token_hex(4)}", keep_alive_s=30
    )
    topic = topic_for(DeviceTopic(held.region, held.device, Channel.PRESENCE))
    trips = []
    async with client:
        for _ in range(_ROUNDS):
            begin = time.monotonic()
            await client.publish(topic, b"online", qos=1)
            trips.append((time.monotonic() - begin) * 1000)
    middle = sorted(trips)[_ROUNDS // 2]
    text = f"{url}: a message takes {middle:.1f} ms"
    if middle > _DELAYED_ACK_MS and middle % _DELAYED_ACK_MS < _DELAYED_ACK_MS / 4:
        return Finding(what, "warning", f"{text}, which looks like Nagle: set_tcp_nodelay on the broker")
    return Finding(what, "fine", text)

"""Joins a fleet with a join token. Repeatable at any point: a cut in between costs nothing.

The key and its CSR are stored before anything is sent, and the same CSR always gets the same
answer; so whoever is not sure whether it worked runs it again.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import aiomqtt

from qfleet_agent import clock
from qfleet_agent.errors import AlreadyEnrolled, BrokerUnreachable, EnrolmentFailed, NotEnrolled
from qfleet_agent.journal import keepsake, membership, recovery, vault
from qfleet_agent.journal.keepsake import Keepsake
from qfleet_agent.journal.layout import Name
from qfleet_agent.journal.membership import Membership
from qfleet_agent.journal.store import Store
from qfleet_agent.link import broker
from qfleet_agent.link.broker import Broker
from qfleet_agent.settings import Settings
from qfleet_wire import codec, door
from qfleet_wire.channel import authority, enrolment, frames, renewal
from qfleet_wire.channel import clock as bounds
from qfleet_wire.channel.enrolment import Attempt, Facts, Grant
from qfleet_wire.channel.frames import Kind
from qfleet_wire.channel.initiator import Standing
from qfleet_wire.channel.invitation import JoinToken
from qfleet_wire.channel.renewal import Identities, StoredIdentity
from qfleet_wire.errors import AnotherAnswer, EnrolmentRefused, RemoteError
from qfleet_wire.names import Millis
from qfleet_wire.topics import AuthorityTopic, Channel, DeviceTopic, topic_for

ANSWER_S = 5.0
"""How long an answer may take before the same request is sent again."""
REQUESTS = 6
KEEP_ALIVE_S = 30
QOS = 1

log = logging.getLogger(__name__)


class Joined(NamedTuple):
    """What came of it, for the person who asked."""

    membership: Membership
    until: Millis
    """End of the certificate."""


async def enrol(token: JoinToken, settings: Settings, facts: Facts) -> Joined:
    """Enrol this device and store all that ``run`` needs in the state directory.

    Raises:
        AlreadyEnrolled: it has an identity.
        BrokerUnreachable: with the broker's address and the reason.
        EnrolmentFailed: nobody answered, or the authority is not the token's.
        EnrolmentRefused: the controller said no, and why.
    """
    path = await asyncio.to_thread(_prepare, settings.state)
    store = Store(path)
    try:
        _check_new(store)
        identities = await asyncio.to_thread(_identities, settings.state)
        attempt, frames_in = await _ask(token, settings, facts, identities.current)
        grant, own = enrolment.accept(attempt, frames_in, identities.current.seed)
        joined = _membership(token, attempt, grant)
        granted = StoredIdentity(identities.current.seed, identities.current.csr, grant.chain)
        await asyncio.to_thread(vault.save, settings.state, Identities(granted))
        bound = bounds.lower_bound(
            stored=Millis(0), build=clock.RELEASED, own_not_before=own.peer.validity.not_before
        )
        standing = Standing(bound, grant.revocations)
        store.put({Name.MEMBERSHIP: membership.write(joined), Name.STANDING: codec.encode(standing)})
        # the agent keeps this copy too, but the key process, which reads it, may be started before the agent
        await asyncio.to_thread(keepsake.save, settings.state, Keepsake(joined, standing))
        return Joined(joined, own.peer.validity.not_after)
    finally:
        store.close()


def _prepare(state: Path) -> Path:
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    return recovery.prepare(state, clock.Clock(clock.RELEASED).now())


def _check_new(store: Store) -> None:
    stored = store.get(Name.MEMBERSHIP)
    if stored is None:
        return
    held = membership.read(stored)
    raise AlreadyEnrolled(
        f"this device is {held.device!r} of fleet {held.fleet!r}, region {held.region!r}: to enrol it anew, "
        "stop the agent, revoke the device and delete the agent's state directory"
    )


def _identities(state: Path) -> Identities:
    try:
        return vault.load(state)
    except NotEnrolled:
        made = Identities(renewal.new_identity(secrets.token_bytes))
        vault.save(state, made)
        return made


def _membership(token: JoinToken, attempt: Attempt, grant: Grant) -> Membership:
    return Membership(
        fleet=token.fleet,
        region=token.region,
        device=token.device,
        broker=token.broker,
        login=grant.login,
        password=grant.password,
        authority=attempt.authority.raw,
        authority_hash=attempt.authority.hash,
    )


async def _ask(
    token: JoinToken, settings: Settings, facts: Facts, identity: StoredIdentity
) -> tuple[Attempt, bytes]:
    url = settings.link.broker or token.broker
    address = broker.parse(url, login=token.login, password=token.password, ca_file=settings.link.ca_file)
    broken: list[str] = []
    for node in address.nodes:
        try:
            return await _ask_at(node, token, facts, identity)
        except aiomqtt.MqttError as error:
            broken.append(str(error))
    raise BrokerUnreachable(
        f"the broker at {url} cannot be reached or refuses the login: {'; '.join(broken)}"
    )


async def _ask_at(
    node: Broker, token: JoinToken, facts: Facts, identity: StoredIdentity
) -> tuple[Attempt, bytes]:
    received: asyncio.Queue[door.Received] = asyncio.Queue()
    client = broker.client(
        node,
        _into(received),
        identifier=f"{token.device}-{secrets.token_hex(4)}",
        keep_alive_s=KEEP_ALIVE_S,
    )
    async with client:
        topic = topic_for(DeviceTopic(token.region, token.device, Channel.ENROL))
        await client.subscribe(topic, QOS)
        await client.subscribe(topic_for(AuthorityTopic(token.region)), QOS)
        record = await _record(received, token)
        known = authority.read_record(record, token.authority)
        attempt = enrolment.request(token, known, identity.csr, facts, secrets.token_bytes)
        for _ in range(REQUESTS):
            await client.publish(topic, attempt.frame, qos=QOS)
            answer = await _answer(received, attempt, identity.seed)
            if answer is not None:
                return attempt, answer
    raise EnrolmentFailed(
        f"the controller did not answer within {REQUESTS * ANSWER_S:.0f} s: "
        "check that it runs and that the token is fresh, then run the same command again"
    )


async def _record(received: asyncio.Queue[door.Received], token: JoinToken) -> bytes:
    try:
        async with asyncio.timeout(ANSWER_S * REQUESTS):
            while True:
                message = await received.get()
                if (
                    isinstance(message, door.Record)
                    and authority.record_hash(message.payload) == token.authority
                ):
                    return message.payload
                log.debug("Another message than the authority's record came first.")
    except TimeoutError:
        raise EnrolmentFailed(
            f"the broker has no record of the authority that the token names (region {token.region!r}): "
            "check that the control plane runs and that the token is this fleet's"
        ) from None


async def _answer(received: asyncio.Queue[door.Received], attempt: Attempt, seed: bytes) -> bytes | None:
    try:
        async with asyncio.timeout(ANSWER_S):
            while True:
                message = await received.get()
                if isinstance(message, door.Frame) and _is_answer(message, attempt, seed):
                    return message.payload
    except TimeoutError:
        return None


def _is_answer(message: door.Frame, attempt: Attempt, seed: bytes) -> bool:
    if message.device != attempt.token.device:
        return False
    if message.kind is Kind.REFUSAL:
        refusal = frames.read(message.payload, frames.Refusal)
        if refusal.request == frames.frame_hash(attempt.frame):
            # A hint that anyone can send: it is shown, and the answer is still waited for.
            log.warning("The controller seems to refuse: %s", refusal.text, extra={"action": "enrol-hint"})
        return False
    if message.kind is not Kind.ENROL_ANSWER:
        return False
    try:
        enrolment.accept(attempt, message.payload, seed)
    except (AnotherAnswer, EnrolmentRefused) as error:
        if isinstance(error, EnrolmentRefused):
            raise
        return False
    except RemoteError as error:
        log.warning("An answer is not valid: %s", error, extra={"action": "enrol-invalid"})
        return False
    return True


def _into(received: asyncio.Queue[door.Received]) -> Callable[[str, bytes], None]:
    def deliver(topic: str, payload: bytes) -> None:
        received.put_nowait(door.read(topic, payload))

    return deliver

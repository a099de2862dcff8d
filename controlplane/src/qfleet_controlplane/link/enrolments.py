"""Answering enrolment requests: cheap checks first, then a thread, then one transaction.

Token id and rate are looked at before anything is decapsulated. What is refused before the
token's secret is proved gets an unauthenticated hint at most.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import sqlalchemy as sa

from qfleet_controlplane.authority import enrolments
from qfleet_controlplane.authority.sealing import SealBroken
from qfleet_controlplane.broker import credentials
from qfleet_controlplane.broker.accounts import Provisioner
from qfleet_controlplane.broker.logins import Login
from qfleet_controlplane.errors import BrokerUnavailable, Unavailable
from qfleet_controlplane.link import faults
from qfleet_controlplane.link.parts import Parts
from qfleet_controlplane.machine import events
from qfleet_controlplane.store import registry
from qfleet_wire import door
from qfleet_wire.channel import enrolment, frames
from qfleet_wire.channel.answers import Answers
from qfleet_wire.channel.rates import Buckets
from qfleet_wire.errors import Refused, Untrusted
from qfleet_wire.names import DeviceName, Millis
from qfleet_wire.topics import Channel

_log = logging.getLogger(__name__)

Enter: TypeAlias = Callable[[events.Enrolled], Awaitable[object]]

_MOST_WAITING = 64
_TOKEN_BURST = 6
_TOKEN_INTERVAL_MS = 5000
_REGION_BURST = 64
_REGION_INTERVAL_MS = 50


class Enrolments:
    """Takes enrolment requests, decides about them one by one, and answers when the device can log in."""

    def __init__(
        self, parts: Parts, granting: enrolments.Granting, enter: Enter, accounts: Provisioner
    ) -> None:
        self._parts = parts
        self._granting = granting
        self._enter = enter
        self._accounts = accounts
        self._counts = parts.around.counts.enrolments
        self._answers = Answers()
        self._per_token = Buckets(burst=_TOKEN_BURST, interval_ms=_TOKEN_INTERVAL_MS)
        self._in_all = Buckets(burst=_REGION_BURST, interval_ms=_REGION_INTERVAL_MS)
        self._waiting: list[door.Frame] = []
        self._task: asyncio.Task[None] | None = None
        self._answering: set[asyncio.Task[None]] = set()

    def take(self, request: door.Frame) -> None:
        """Take a request in; called from the inbound path, never waits."""
        now = self._parts.around.clock()
        known = self._answers.get(request.device, frames.frame_hash(request.payload), now)
        if known is not None:
            self._counts.add("repeated")
            self._parts.outbound.send_frame(request.device, Channel.ENROL, known)
        elif not self._admit(request, now):
            self._counts.add("over-rate")
        else:
            self._waiting.append(request)
            if self._task is None:
                self._task = asyncio.get_running_loop().create_task(self._work(), name="enrolments")

    async def stop(self) -> None:
        """Finish what is under way."""
        if self._task is not None:
            await self._task
        await asyncio.gather(*self._answering)

    def _admit(self, request: door.Frame, now: Millis) -> bool:
        try:
            token_id = enrolment.token_id(request.payload)
        except Refused:
            return False
        return (
            len(self._waiting) < _MOST_WAITING
            and self._per_token.admit(token_id, now)
            and self._in_all.admit("all", now)
        )

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._answer(self._waiting.pop(0))
        finally:
            self._task = None

    async def _answer(self, frame: door.Frame) -> None:
        database, now = self._parts.stores.database, self._parts.around.clock()
        try:
            request, key = await database.read(lambda connection: self._open(connection, frame))
            verdict = await database.writer.run(
                lambda connection: enrolments.rule(connection, self._granting, request, now)
            )
        except Refused as error:
            self._turn_away(frame, error)
        except SealBroken:
            _log.exception("An invitation does not open.", extra={"action": "enrolment_failed"})
        except Unavailable as error:
            faults.note(_log, "An enrolment could not be stored", error, "enrolment_store_failed")
        else:
            await self._conclude(frame, request, key, verdict)

    def _open(self, connection: sa.Connection, frame: door.Frame) -> tuple[enrolment.Request, bytes]:
        """Find the token and open the request; runs in a thread."""
        ring = self._parts.stores.ring
        found = registry.invitation(connection, enrolment.token_id(frame.payload))
        if found is None:
            raise Refused("the token is unknown here: invite the device again", code="token")
        if found.device != frame.device:
            raise Untrusted(f"the token is for device {found.device!r}", code="token")
        key = enrolments.token_key(ring, found)
        return enrolment.open_request(frame.payload, ring.authority, ring.enrolment_key, key), key

    async def _conclude(
        self, frame: door.Frame, request: enrolment.Request, key: bytes, verdict: enrolments.Verdict
    ) -> None:
        if verdict.reused:
            self._counts.add("token-reuse")
            _log.warning(
                "A used token came with another key, for device %s.",
                verdict.device,
                extra={"action": "alarm_token_reuse"},
            )
            return
        if verdict.issued is not None:
            # An older identity of this name has no session any more.
            self._parts.peers.end(verdict.device)
            issued = verdict.issued
            await self._tell(events.Enrolled(verdict.device, issued.hash, issued.validity.not_after))
        # Making an account may take a while, and the next enrolment must not wait for it.
        answering = asyncio.create_task(self._reply(frame, request, key, verdict), name="enrolment-answer")
        self._answering.add(answering)
        answering.add_done_callback(self._answering.discard)

    async def _reply(
        self, frame: door.Frame, request: enrolment.Request, key: bytes, verdict: enrolments.Verdict
    ) -> None:
        assert verdict.outcome is not None, "only a reused token is answered with nothing"
        if isinstance(verdict.outcome, enrolment.Grant):
            try:
                await self._provide(verdict.device, verdict.outcome)
            except BrokerUnavailable as error:
                # The device asks again and gets the same grant.
                faults.note(_log, "A device has no account yet", error, "enrolment_account_late")
                self._counts.add("account-late")
                return
        ring = self._parts.stores.ring
        answer = await asyncio.to_thread(enrolment.answer, request, ring.authority, key, verdict.outcome)
        now = self._parts.around.clock()
        self._answers.put(frame.device, frames.frame_hash(frame.payload), answer, now)
        self._parts.outbound.send_frame(frame.device, Channel.ENROL, answer)
        denied = isinstance(verdict.outcome, enrolment.Denial)
        self._counts.add("denied" if denied else "granted" if verdict.issued else "granted-again")

    async def _provide(self, device: DeviceName, grant: enrolment.Grant) -> None:
        """Return when the device can log in with what it is granted."""
        if grant.login == credentials.user_of(self._granting.region, device):
            await self._accounts.ensure({device: Login(grant.login, grant.password)})

    async def _tell(self, event: events.Enrolled) -> None:
        """Let the device table show it before the device knows."""
        try:
            await self._enter(event)
        except Unavailable as error:
            # The grant is stored, and a device that was invited may open a session.
            faults.note(_log, "An enrolment is not shown yet", error, "enrolment_late")

    def _turn_away(self, frame: door.Frame, error: Refused) -> None:
        self._counts.add(error.code)
        _log.info(
            "An enrolment of %s is refused: %s", frame.device, error, extra={"action": "enrolment_refused"}
        )
        if isinstance(error, Untrusted):
            self._parts.alarms.ring("untrusted-enrolment", frame.device, str(error))
        self._parts.outbound.send_frame(frame.device, Channel.ENROL, frames.refusal(frame.payload, error))

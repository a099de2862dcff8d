"""Settling a session: what was kept, who knows, who may forget. The part of an end that outlives a restart.

Two rules carry it. Bob says ``Held`` only when his key is durable, and Alice releases only then; Bob releases
only when Alice says the same. And who says ``Gone`` holds nothing and never will, which is why neither end
says it once its key is kept.
"""

from collections.abc import Iterable

import msgspec

from qfleet_agent.errors import AgentError
from qfleet_agent.qkd import plan
from qfleet_agent.qkd.authentication import Tagger
from qfleet_agent.qkd.errors import ExchangeForged, ExchangeInvalid
from qfleet_agent.qkd.estimation import Estimate
from qfleet_agent.qkd.exchange import states
from qfleet_agent.qkd.exchange.effects import (
    Alarm,
    Destroy,
    Effect,
    Forget,
    Keep,
    Record,
    Release,
    Role,
    Save,
    Send,
)
from qfleet_agent.qkd.exchange.messages import Forgotten, Gone, Held, Released, Settling
from qfleet_agent.qkd.exchange.postbox import Postbox, envelope
from qfleet_agent.qkd.exchange.states import State, Step
from qfleet_agent.qkd.watch import Sign


def broken(error: AgentError) -> Sign:
    """The sign that a message gives which no honest end would send."""
    return Sign("authentication" if isinstance(error, ExchangeForged) else "protocol", str(error))


class Settler:
    """The record of a session at one end, and the messages that settle it."""

    def __init__(self, record: Record, tagger: Tagger | None) -> None:
        self.record = record
        self.box = Postbox(record.plan.session, record.role, tagger)

    @property
    def state(self) -> State:
        """Where the session is."""
        return self.record.state

    def step(self, step: Step) -> None:
        """Go on by one step of the table; what is saved follows by the effect that the step asks for."""
        self._to(step)

    def saved(self) -> Save:
        """Have the record stored."""
        return Save(self.record)

    def kept(self, key: bytes, estimate: Estimate, transcript: bytes) -> list[Effect]:
        """The key is made: store it, provisional."""
        self._to(Step.KEEP, transcript=transcript, estimate=estimate)
        return [Keep(self.record, key)]

    def released(self) -> list[Effect]:
        """The other end holds the key: release it here, and say so."""
        self._to(Step.RELEASE)
        return [Release(self.record), *self.said()]

    def given_up(self, why: str, signs: Iterable[Sign] = ()) -> list[Effect]:
        """End a session that has no key yet: what there is of it is destroyed, and every sign is an alarm."""
        self._to(Step.GIVE_UP, why=why)
        return [Destroy(self.record), *self.alarms(signs), *self.said()]

    def alarms(self, signs: Iterable[Sign]) -> list[Effect]:
        """Alarms of this session."""
        return [Alarm(self.record.plan.session, sign.reason, sign.seen) for sign in signs]

    def said(self) -> list[Effect]:
        """What this end has to say until it is settled; nothing while the key is being made."""
        match self.state:
            case State.HELD:
                return [Send(self.box.settling(Held(self.record.transcript)))]
            case State.RELEASED if self.record.role == "alice":
                return [Send(self.box.settling(Held(self.record.transcript)))]
            case State.RELEASED:
                return [Send(self.box.settling(Released()))]
            case State.GONE:
                return [Send(self.box.settling(Gone(self.record.why)))]
            case _:
                return []

    def heard(self, body: Settling) -> list[Effect]:
        """A settling message of the other end."""
        match self.state:
            case State.HELD:
                return self._heard_held(body)
            case State.RELEASED:
                return self._heard_released(body)
            case State.GONE:
                return self._heard_gone(body)
            case State.FORGOTTEN:
                return _answered(self.box, body)
            case _:
                return self._heard_live(body)

    def late(self, data: bytes) -> list[Effect]:
        """A message of the other end once no key is being made any more: what would make one is past."""
        try:
            if envelope(data).number:
                return self.said()
            body, _ = self.box.opened(data)
        except (ExchangeForged, ExchangeInvalid) as error:
            return self.alarms([broken(error)])
        return self.heard(body) if isinstance(body, Settling) else []

    def unlike(self) -> Sign:
        """The sign that the two ends did not hear the same."""
        if self.box.tagged:
            return Sign("authentication", "the other end's tags are not those of the messages heard here")
        return Sign("transcript", "the other end's key was made of other messages than this one's")

    def _heard_live(self, body: Settling) -> list[Effect]:
        match body:
            case Gone():
                return self.given_up(body.reason)
            case Held() | Released():
                word = type(body).__name__.lower()
                sign = Sign("protocol", f"the other end says {word} of a key that is not made yet")
                return self.given_up("protocol", [sign])
            case Forgotten():
                return []

    def _heard_held(self, body: Settling) -> list[Effect]:
        match body:
            case Held() if body.transcript == self.record.transcript:
                return self.released()
            case Held():
                return self.alarms([self.unlike()])
            case Gone():
                self._to(Step.LOSE, why=body.reason)
                return [Destroy(self.record), *self.said()]
            case _:
                return []

    def _heard_released(self, body: Settling) -> list[Effect]:
        """``Gone`` changes nothing here: it can only be an old one, of an end that has forgotten since."""
        match body:
            case Held():
                return self.said()
            case Released():
                return [*self._forgotten(), Send(self.box.settling(Forgotten()))]
            case Forgotten():
                return self._forgotten()
            case Gone():
                return []

    def _heard_gone(self, body: Settling) -> list[Effect]:
        match body:
            case Gone():
                return [*self._forgotten(), Send(self.box.settling(Forgotten()))]
            case Forgotten():
                return self._forgotten()
            case Held() | Released():
                return self.said()

    def _forgotten(self) -> list[Effect]:
        self._to(Step.FORGET)
        return [Forget(self.record.plan.session)]

    def _to(self, step: Step, **changes: object) -> None:
        self.record = msgspec.structs.replace(self.record, state=states.after(self.state, step), **changes)


class Restored:
    """One end after a restart: a key that was not kept is gone, one that was is settled."""

    def __init__(self, record: Record, tagger: Tagger | None) -> None:
        self._settler = Settler(record, tagger)

    @property
    def record(self) -> Record:
        """What is saved of it."""
        return self._settler.record

    def begin(self) -> list[Effect]:
        """What is to be done at once."""
        settler = self._settler
        if settler.state in states.LIVE:
            return settler.given_up("restarted")
        if settler.state is State.HELD and settler.record.role == "alice":
            # She keeps only what Bob said he holds.
            return settler.released()
        return settler.said()

    def heard(self, data: bytes) -> list[Effect]:
        """A message of the other end."""
        return self._settler.late(data)

    def nudged(self) -> list[Effect]:
        """Time has passed: say again what the other end may not know."""
        return self._settler.said()


def started(role: Role, session: plan.Plan, *, simulated: bool) -> Record:
    """The record of a session that begins."""
    return Record(role=role, plan=session, state=State.STARTED, simulated=simulated)


def stranger(data: bytes) -> list[Effect]:
    """What an end answers that has no record of a session, and will not begin it.

    Raises:
        ExchangeInvalid: Where it is no message of a key exchange.
    """
    read = envelope(data)
    # The role does not matter to a message without a tag.
    box = Postbox(read.session, "alice", None)
    body, _ = box.opened(data)
    return _answered(box, body) if isinstance(body, Settling) else []


def _answered(box: Postbox, body: Settling) -> list[Effect]:
    match body:
        case Held():
            return [Send(box.settling(Gone("unknown")))]
        case Released() | Gone():
            return [Send(box.settling(Forgotten()))]
        case Forgotten():
            return []

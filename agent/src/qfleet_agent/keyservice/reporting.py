"""What a session reports to the control plane once it has ended: numbers and words, and no key."""

import hashlib
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from qfleet_agent.keyservice import records
from qfleet_agent.qkd.exchange import effects
from qfleet_agent.qkd.exchange.alice import Alice
from qfleet_agent.qkd.exchange.bob import Bob
from qfleet_agent.qkd.exchange.effects import Effect, Role
from qfleet_agent.qkd.exchange.settling import Restored
from qfleet_wire import key_orders
from qfleet_wire.key_orders import Exchange, ExchangeEnded
from qfleet_wire.names import DeviceName

Either: TypeAlias = Alice | Bob | Restored


def report_name(session: str, role: Role, what: str) -> str:
    """The name of a report: the same for the same report, whenever it is made."""
    return hashlib.sha256(f"qfleet1 report {session} {role} {what}".encode()).hexdigest()[:40]


def ended(
    name: str, peer: DeviceName, end: Either, effect: Effect, alarms: Sequence[effects.Alarm]
) -> records.Report | None:
    """The report of how a session ended, where it has."""
    if not isinstance(effect, effects.Release | effects.Destroy):
        return None
    record = effect.record
    body = ExchangeEnded(
        session=name,
        role=record.role,
        peer=peer,
        outcome="key" if isinstance(effect, effects.Release) else "aborted",
        reason=record.why,
        seen="; ".join(f"{alarm.reason}: {alarm.seen}" for alarm in alarms)[:1000],
        simulated=record.simulated,
    )
    if record.estimate is not None:
        body = msgspec.structs.replace(
            body,
            bits=record.estimate.bits if body.outcome == "key" else 0,
            error_rate=record.estimate.error_rate,
            leak_bits=record.estimate.leak_bits,
        )
    if not isinstance(end, Restored):
        tally = end.counted
        body = msgspec.structs.replace(body, sifted=int(tally.key.sum()), error_rate=tally.error_rate)
    return records.Report(report_name(name, record.role, "ended"), key_orders.encode(body))


def late(name: str, peer: DeviceName, end: Either, alarms: Sequence[effects.Alarm]) -> records.Report:
    """What was seen of a session that has its end already, or cannot end."""
    record = end.record
    seen = "; ".join(f"{alarm.reason}: {alarm.seen}" for alarm in alarms)[:1000]
    body = ExchangeEnded(
        session=name,
        role=record.role,
        peer=peer,
        outcome="aborted",
        reason=alarms[0].reason,
        seen=seen,
        simulated=record.simulated,
    )
    return records.Report(report_name(name, record.role, seen), key_orders.encode(body))


def refused(body: Exchange, why: str) -> records.Report:
    """A session that cannot begin: ``why`` says what to do. It had no light to speak of."""
    told = ExchangeEnded(
        session=body.plan.session,
        role=body.role,
        peer=body.peer,
        outcome="aborted",
        reason="refused",
        seen=why[:1000],
    )
    return records.Report(report_name(body.plan.session, body.role, "ended"), key_orders.encode(told))

"""Puts the contact plan of a survey to use: ways for a key, and a plan for all demands.

A demand's keys are wanted evenly, so it is booked in slots: the bits of each slot must be there by the slot's
end, from whatever contacts came before, because keys keep.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

from qfleet_controlplane.errors import InvalidRequest
from qfleet_controlplane.network.contacts import model
from qfleet_controlplane.network.contacts.ledger import Ledger
from qfleet_controlplane.network.contacts.plan import Plan
from qfleet_controlplane.network.contacts.routes import alternatives
from qfleet_controlplane.network.survey import Survey
from qfleet_controlplane.network.twin.model import Want
from qfleet_wire.api import network as api
from qfleet_wire.names import Millis

SLOT_S = 3600.0
"""What a demand uses within so long is booked at once."""
MOST_ALTERNATIVES = 100
_MOST_BITS = 2**53


def plan_of(survey: Survey) -> Plan:
    """Lay out the contacts that are expected to make keys; raises ``InvalidPlan``."""
    contacts = (
        model.Contact(
            number=one.number,
            a=one.a,
            b=one.b,
            start_s=one.start_s,
            end_s=one.end_s,
            expected_bits=int(one.expected_bits),
            kind=one.kind,
        )
        for one in survey.contacts
        if one.expected_bits >= 1.0
    )
    return Plan(sorted(survey.nodes), contacts)


def routes(survey: Survey, request: api.RouteRequest) -> api.RoutesView:
    """Return the best ways for a key, or why there is none; nothing is booked.

    Raises:
        InvalidRequest: bits, time or alternatives that cannot be.
    """
    if not 1 <= request.bits <= _MOST_BITS:
        raise InvalidRequest(f"bits = {request.bits:g} must be at least 1 and at most {_MOST_BITS:g}")
    if not 1 <= request.alternatives <= MOST_ALTERNATIVES:
        raise InvalidRequest(f"alternatives = {request.alternatives} must lie in [1, {MOST_ALTERNATIVES}]")
    if not 0 <= request.at_s <= survey.duration_s:
        raise InvalidRequest(f"at_s = {request.at_s:g} must lie in [0, {survey.duration_s:g}], the scenario")
    plan = plan_of(survey)
    ledger = Ledger(plan)
    demand = model.Demand(
        name="asked", a=request.a, b=request.b, bits=math.ceil(request.bits), from_s=request.at_s
    )
    found = alternatives(plan, ledger.free, demand, request.alternatives)
    return api.RoutesView(
        routes=tuple(_route(plan, one) for one in found),
        reason="" if found else _why(ledger, demand),
        epoch=Millis(survey.epoch_ms),
    )


def _why(ledger: Ledger, demand: model.Demand) -> str:
    """Why no way carries a key alone, of a ledger in which nothing is booked."""
    answer = ledger.book(demand)
    if isinstance(answer, model.Refusal):
        return answer.reason
    return f"no way has room for {demand.bits} bits alone; {len(answer.parts)} ways together have"


def plan(survey: Survey) -> api.KeyPlanView:
    """Book every demand slot by slot, the most urgent first, and say what cannot be served."""
    ledger = Ledger(plan_of(survey))
    wants = sorted(survey.wants, key=lambda want: -want.priority)
    demands = tuple(_booked(ledger, number, want, survey.duration_s) for number, want in enumerate(wants))
    contacts = ledger.contacts()
    expected = sum(one.expected_bits for one in contacts)
    booked = sum(one.booked_bits for one in contacts)
    return api.KeyPlanView(
        demands=demands,
        contacts_used=sum(one.booked_bits > 0 for one in contacts),
        booked_share=booked / expected if expected else 0.0,
        epoch=Millis(survey.epoch_ms),
    )


class _Slot(NamedTuple):
    number: int
    bits: int
    end_s: float


def _slots(rate_bps: float, duration_s: float) -> Iterator[_Slot]:
    asked = 0
    for number in range(math.ceil(duration_s / SLOT_S)):
        end_s = min((number + 1) * SLOT_S, duration_s)
        bits = math.ceil(rate_bps * end_s) - asked
        if bits > 0:
            asked += bits
            yield _Slot(number, bits, end_s)


def _booked(ledger: Ledger, number: int, want: Want, duration_s: float) -> api.DemandView:
    asked = booked = 0
    used: set[tuple[int, ...]] = set()
    last: float | None = None
    reason = ""
    soonest_s = _soonest_s(ledger, want)
    for slot in _slots(want.rate_bps, duration_s):
        asked += slot.bits
        if slot.end_s < soonest_s:
            reason = reason or _too_soon(want, slot, soonest_s)
            continue
        demand = model.Demand(
            name=f"{number}/{slot.number}", a=want.a, b=want.b, bits=slot.bits, deadline_s=slot.end_s
        )
        answer = ledger.book(demand)
        if isinstance(answer, model.Refusal):
            reason = reason or f"hour {slot.number + 1}: {answer.reason}"
            continue
        booked += slot.bits
        used |= {part.route.contacts for part in answer.parts}
        arrived = max(part.route.arrival_s for part in answer.parts)
        last = arrived if last is None else max(last, arrived)
    return api.DemandView(
        a=want.a, b=want.b, asked_bits=asked, booked_bits=booked, routes=len(used), last_arrival_s=last,
        reason=reason,
    )  # fmt: skip


def _soonest_s(ledger: Ledger, want: Want) -> float:
    """When the first bit of a demand can be there; infinite: never."""
    demand = model.Demand(name="soonest", a=want.a, b=want.b, bits=1)
    found = alternatives(ledger.plan, ledger.free, demand, 1)
    return found[0].arrival_s if found else math.inf


def _too_soon(want: Want, slot: _Slot, soonest_s: float) -> str:
    if math.isinf(soonest_s):
        return f"no chain of contacts joins {want.a} and {want.b}"
    return f"hour {slot.number + 1}: the first key can be there {soonest_s / 3600:.1f} h after the epoch"


def _route(plan: Plan, found: model.Route) -> api.RouteView:
    hops = []
    for number, sender, receiver in zip(found.contacts, found.nodes, found.nodes[1:], strict=False):
        contact = plan.contact(number)
        hops.append(
            api.HopView(
                contact=number,
                sender=sender,
                receiver=receiver,
                kind=contact.kind,
                start_s=contact.start_s,
                end_s=contact.end_s,
            )
        )
    return api.RouteView(
        arrival_s=found.arrival_s, ends_s=found.terminates_s, bits=found.bits, hops=tuple(hops)
    )

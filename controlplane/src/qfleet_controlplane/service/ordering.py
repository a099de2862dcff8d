"""Orders as events, and events about devices as orders.

An order is what one controller asks of the region that another may lead. Every order becomes an event
that does no harm when it is handled twice.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import msgspec
import sqlalchemy as sa

from qfleet_controlplane.machine import events
from qfleet_controlplane.store import orders, records
from qfleet_controlplane.store.orders import Order, Pending
from qfleet_wire import codec
from qfleet_wire.names import DeviceName, JobId, Millis, RegionName
from qfleet_wire.payloads import PeerRefusal

Decision: TypeAlias = (
    events.Invited | events.Enrolled | events.Revoked | events.Quarantined | events.Released | events.Retired
)
"""What is decided about a device by somebody who need not lead its region."""

_DECISIONS: Mapping[str, type[Decision]] = {
    kind.__name__: kind
    for kind in (
        events.Invited,
        events.Enrolled,
        events.Revoked,
        events.Quarantined,
        events.Released,
        events.Retired,
    )
}


class _Cancel(msgspec.Struct, frozen=True):
    reason: str
    who: str


class _Decided(msgspec.Struct, frozen=True):
    kind: str
    event: msgspec.Raw


def adopt(region: RegionName, job: JobId, now: Millis) -> Order:
    """Order a region to take in the tasks of a job that are its own."""
    return Order(region, now, "adopt", job)


def cancel(region: RegionName, event: events.JobCancelled, now: Millis) -> Order:
    """Order a region to cancel its share of a job."""
    return Order(region, now, "cancel", event.job, codec.encode(_Cancel(event.reason, event.who)))


def decide(region: RegionName, event: Decision, now: Millis) -> Order:
    """Order a region to take in what was decided about one of its devices."""
    body = _Decided(type(event).__name__, msgspec.Raw(codec.encode(event)))
    return Order(region, now, "device", event.device, codec.encode(body))


class Forwarded(msgspec.Struct, frozen=True, array_like=True):
    """What a device of another region sent to one of this, sealed between the two.

    ``home`` is the sender's region, empty where an earlier version did not say so, and ``number`` its own.
    """

    sender: DeviceName
    receiver: DeviceName
    body: bytes
    home: RegionName = RegionName("")
    number: int = 0


class Returned(msgspec.Struct, frozen=True, array_like=True):
    """Why message ``number`` of a device of region ``home`` was not handed to its receiver in another one."""

    sender: DeviceName
    receiver: DeviceName
    number: int
    code: PeerRefusal
    text: str
    home: RegionName


def forward(region: RegionName, messages: Sequence[Forwarded], now: Millis) -> Order:
    """Order a region to hand messages to devices of its own."""
    return Order(region, now, "peers", "", codec.encode(_Peers(tuple(messages))))


def give_back(home: RegionName, region: RegionName, refusals: Sequence[Returned], now: Millis) -> Order:
    """Order a region to tell devices of its own what ``region`` did not hand out of what they sent."""
    return Order(home, now, "refused", region, codec.encode(_Refusals(tuple(refusals))))


def key_order(region: RegionName, device: DeviceName, now: Millis) -> Order:
    """Tell a region that something is ordered of the key process of one of its devices."""
    return Order(region, now, "keys", device)


class _Peers(msgspec.Struct, frozen=True):
    messages: tuple[Forwarded, ...]


class _Refusals(msgspec.Struct, frozen=True):
    refusals: tuple[Returned, ...]


class Inbox(NamedTuple):
    """A region's orders as events, the oldest first, and what they leave to do without one.

    ``empty`` are the numbers of those that ask for nothing, or for ``forwarded`` only, which is lost
    rather than handed out twice on purpose, or that have the key orders of some devices (``keyed``) sent, or
    that say what other regions refused (``returned``).
    """

    wanted: list[events.Ordered]
    empty: list[int]
    forwarded: list[tuple[Millis, Forwarded]]
    keyed: list[DeviceName]
    returned: list[Returned]


def read(connection: sa.Connection, region: RegionName) -> Inbox:
    """Read a region's inbox; run in a reader's thread."""
    inbox = Inbox([], [], [], [], [])
    for pending in orders.pending(connection, region):
        if pending.order.kind == "peers":
            inbox.empty.append(pending.id)
            messages = codec.decode(pending.order.body, _Peers).messages
            inbox.forwarded.extend((pending.order.created, message) for message in messages)
            continue
        if pending.order.kind == "keys":
            inbox.empty.append(pending.id)
            inbox.keyed.append(DeviceName(pending.order.subject))
            continue
        if pending.order.kind == "refused":
            inbox.empty.append(pending.id)
            inbox.returned.extend(codec.decode(pending.order.body, _Refusals).refusals)
            continue
        event = _event(connection, region, pending)
        if event is None:
            inbox.empty.append(pending.id)
        else:
            inbox.wanted.append(events.Ordered(pending.id, event))
    return inbox


def _event(
    connection: sa.Connection, region: RegionName, pending: Pending
) -> events.ShareArrived | events.JobCancelled | Decision | None:
    order = pending.order
    match order.kind:
        case "adopt":
            job = records.load_share(connection, JobId(order.subject), region)
            return None if job is None else events.ShareArrived(job)
        case "cancel":
            wish = codec.decode(order.body, _Cancel)
            return events.JobCancelled(JobId(order.subject), wish.reason, wish.who)
        case "device":
            decided = codec.decode(order.body, _Decided)
            kind = _DECISIONS.get(decided.kind)
            return None if kind is None else codec.decode(bytes(decided.event), kind)
        case "peers" | "keys" | "refused":
            return None

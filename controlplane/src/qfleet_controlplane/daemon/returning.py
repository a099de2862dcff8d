"""What this region's devices do not get of other regions' devices: counted here, and told there.

A sender whose message went through the store would else only see that nobody answers. One word for each
pair of devices and look into the inbox is enough: devices repeat what matters, and are told again.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Final, TypeAlias

import sqlalchemy as sa

from qfleet_controlplane.link.counts import Counts
from qfleet_controlplane.machine.forwarding import Verdict
from qfleet_controlplane.service import ordering
from qfleet_controlplane.service.ordering import Forwarded, Returned
from qfleet_controlplane.store import orders
from qfleet_wire.names import DeviceName, Millis, RegionName

MOST_ROWS: Final = 16
"""Rows of refusals that may wait for one region; more are not told."""

Deliver: TypeAlias = Callable[[DeviceName, DeviceName, bytes], Verdict]


def hand_out(messages: Iterable[Forwarded], deliver: Deliver, counts: Counts) -> list[Returned]:
    """Hand messages of other regions out; return what their senders are to be told, the last of each pair."""
    refused: dict[tuple[DeviceName, DeviceName], Returned] = {}
    for one in messages:
        verdict = deliver(one.sender, one.receiver, one.body)
        if verdict is not None:
            counts.forwarded.add(verdict.code)
            pair = one.sender, one.receiver
            refused[pair] = Returned(one.sender, one.receiver, one.number, *verdict, home=one.home)
    return list(refused.values())


def put(connection: sa.Connection, returned: Collection[Returned], region: RegionName, now: Millis) -> None:
    """Order the senders' regions to tell them; ``region`` is where it was refused."""
    # A controller of before does not say which region is its sender's.
    for home in sorted({one.home for one in returned if one.home}):
        if orders.waiting(connection, home, "refused") < MOST_ROWS:
            told = [one for one in returned if one.home == home]
            orders.put(connection, [ordering.give_back(home, region, told, now)])

"""Which leases a controller should take and give up, decided from what the database says.

Pure: every controller decides for itself from the same rows and the same clock, and the database
settles who was first. Nobody is ever asked to give a region up; it is given up or it ends.
"""

import hashlib
import math
from collections.abc import Collection, Mapping
from typing import NamedTuple

from qfleet_wire.names import ControllerName, RegionName


class Lease(NamedTuple):
    """A region's lease: its holder, and how many seconds it still lasts by the database's clock."""

    controller: ControllerName
    left_s: float


class Situation(NamedTuple):
    """What a controller looks at.

    ``leading`` are the regions that it leads in this process, ``servable`` those of its
    configuration. ``free_for`` says for how many seconds each region was seen without a holder;
    ``unwanted`` are those that nobody else took when they were free for long.
    """

    leases: Mapping[RegionName, Lease]
    controllers: Mapping[ControllerName, float]
    """Every controller and how many seconds it counts as alive."""
    servable: Collection[RegionName]
    leading: Collection[RegionName] = ()
    free_for: Mapping[RegionName, float] = {}
    unwanted: Collection[RegionName] = ()
    patience_s: float = 18.0
    """A region free for so long is taken even by a controller that has its share."""


class Decision(NamedTuple):
    """Regions to take and to give up, and which of those taken nobody else wanted."""

    take: tuple[RegionName, ...] = ()
    release: tuple[RegionName, ...] = ()
    orphans: tuple[RegionName, ...] = ()


def decide(me: ControllerName, seen: Situation) -> Decision:
    """Decide what to take and what to give up now.

    A controller takes free regions up to its fair share, ceil(regions / live controllers), and
    leaves some to others while there are more free ones; it gives up what is over its share.
    """
    live = {name for name, left in seen.controllers.items() if left > 0} | {me}
    regions = set(seen.leases) | set(seen.servable)
    share = math.ceil(len(regions) / len(live))
    mine = sorted(set(seen.leading), key=lambda name: _preference(me, name))
    returned = [name for name in seen.servable if name not in seen.leading and _is_mine(seen, me, name)]
    free = [
        name
        for name in seen.servable
        if name not in seen.leading and name not in returned and _is_free(seen, name)
    ]
    free.sort(key=lambda name: _preference(me, name))
    # What was ours before a restart is ours still; whoever has too much gives it up afterwards.
    room = min(share - len(mine) - len(returned), math.ceil(len(free) / len(live)))
    taken = [*returned, *free[: max(0, room)]]
    orphans = [name for name in free if name not in taken and seen.free_for.get(name, 0.0) >= seen.patience_s]
    surplus = [name for name in mine if name not in seen.unwanted]
    over = max(0, len(surplus) - share)
    released = surplus[len(surplus) - over :] if _has_taker(me, live, seen, share) else []
    return Decision((*taken, *orphans), tuple(released), tuple(orphans))


def _is_mine(seen: Situation, me: ControllerName, region: RegionName) -> bool:
    lease = seen.leases.get(region)
    return lease is not None and lease.controller == me and lease.left_s > 0


def _is_free(seen: Situation, region: RegionName) -> bool:
    lease = seen.leases.get(region)
    return lease is None or lease.left_s <= 0


def _has_taker(me: ControllerName, live: Collection[ControllerName], seen: Situation, share: int) -> bool:
    """Whether another live controller has less than its share."""
    held = [lease.controller for lease in seen.leases.values() if lease.left_s > 0]
    return any(held.count(name) < share for name in live if name != me)


def _preference(me: ControllerName, region: RegionName) -> bytes:
    """An order of regions of each controller's own, so that two do not reach for the same one."""
    return hashlib.sha256(f"{me}/{region}".encode()).digest()

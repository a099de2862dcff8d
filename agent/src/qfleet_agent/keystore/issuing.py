"""Makes keys of bytes of our half, and remembers each until the peer has confirmed it. Blocking."""

import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from qfleet_agent.errors import SealBroken
from qfleet_agent.keystore import allotment, announcement, spans
from qfleet_agent.keystore.allotment import Lot, Range
from qfleet_agent.keystore.announcement import Announcement
from qfleet_agent.keystore.base import Base
from qfleet_agent.keystore.blocks import Block
from qfleet_agent.keystore.counts import Count
from qfleet_agent.keystore.states import State, Step
from qfleet_wire import codec
from qfleet_wire.names import Millis

log = logging.getLogger(__name__)


class Order(NamedTuple):
    """What keys are asked for: one for each of ``keys``, of ``size`` bytes."""

    link: str
    master: str
    slaves: tuple[str, ...]
    """SAE IDs at the other end of the link."""
    neighbours: tuple[str, ...]
    """SAE IDs at this end that get the keys too."""
    keys: tuple[bytes, ...]
    size: int
    expires: Millis


class Issued(NamedTuple):
    """A key that was made; ``material`` may go out once the peer has confirmed the announcement."""

    announcement: Announcement
    material: bytes

    def __repr__(self) -> str:
        """Leave out the key."""
        return f"Issued({self.announcement.key.hex()}, …)"


class Unconfirmed(NamedTuple):
    """An announcement that must be repeated until the peer of ``link`` has confirmed it."""

    link: str
    announcement: Announcement


def issue(base: Base, order: Order, now: Millis) -> list[Issued]:
    """Make keys; a block that does not open is set aside and the next one taken.

    Raises:
        KeysExhausted: the link has not enough.
    """
    while True:
        looked_at: dict[bytes, Block] = {}
        chosen = allotment.allot(
            _lots(base, order.link, now, looked_at),
            number=len(order.keys),
            size=order.size,
            ours=base.name,
            theirs=order.link,
        )
        try:
            material = [_join(base, looked_at, ranges) for ranges in chosen]
        except _Damaged as damaged:
            set_aside(base, damaged.block, now)
            continue
        break
    _use(base, looked_at, [one for ranges in chosen for one in ranges], now)
    return [
        _record(base, order, key, ranges, plain)
        for key, ranges, plain in zip(order.keys, chosen, material, strict=True)
    ]


def confirm(base: Base, keys: Sequence[bytes]) -> None:
    """Forget announcements: the peer has stored what they say."""
    base.database.executemany("DELETE FROM issued WHERE key = ?", [(key,) for key in keys])


def withdraw(base: Base, given_up: Sequence[Unconfirmed]) -> list[Unconfirmed]:
    """Mark keys that were given to nobody, confirmed or not; return what the peers must be told of them."""
    told = []
    for link, made in given_up:
        if not made.withdrawn:
            base.database.execute("UPDATE waiting SET sealed = NULL WHERE key = ?", (made.key,))
            base.tally.add(link, Count.UNDELIVERED, made.size)
        marked = msgspec.structs.replace(made, withdrawn=True)
        base.database.execute(
            "INSERT OR REPLACE INTO issued VALUES (?, ?, ?, ?)",
            (made.key, link, codec.encode(marked), made.expires),
        )
        told.append(Unconfirmed(link, marked))
    return told


def unconfirmed(base: Base) -> list[Unconfirmed]:
    """Return what must still be confirmed, in no order."""
    rows = base.database.execute("SELECT link, announcement FROM issued").fetchall()
    return [Unconfirmed(link, announcement.decode(made)) for link, made in rows]


def refused(
    base: Base, link: str, made: Announcement, blocks: Sequence[bytes], now: Millis
) -> list[Unconfirmed]:
    """The peer cannot make this key because of ``blocks``: they are given up, and the key is withdrawn."""
    for name in set(blocks) & {one.block for one in made.ranges}:
        block = base.blocks.find(link, name)
        if block is not None and block.state is State.HELD:
            log.error(
                "Block %s of the link to %s is destroyed: the peer does not have it as it is here.",
                name.hex(),
                link,
                extra={"action": "key-block-refused"},
            )
            base.blocks.step(block, Step.DESTROY, now)
    return withdraw(base, [Unconfirmed(link, made)])


def set_aside(base: Base, block: Block, now: Millis) -> None:
    """Take a damaged block out of use, and say so."""
    log.error(
        "Block %s of the link to %s does not open and is set aside: it is damaged or sealed by another key.",
        block.block.hex(),
        block.link,
        extra={"action": "key-block-damaged"},
    )
    base.blocks.step(block, Step.SET_ASIDE, now)


class _Damaged(Exception):
    def __init__(self, block: Block) -> None:
        super().__init__()
        self.block = block


def _lots(base: Base, link: str, now: Millis, looked_at: dict[bytes, Block]) -> Iterator[Lot]:
    for block in base.blocks.in_state(link, State.HELD):
        if block.expires is None or block.expires > now:
            looked_at[block.block] = block
            yield block.lot


def _join(base: Base, looked_at: dict[bytes, Block], ranges: Sequence[Range]) -> bytes:
    parts = []
    for one in ranges:
        block = looked_at[one.block]
        try:
            parts.append(base.blocks.read(block, one.start, one.stop))
        except SealBroken:
            raise _Damaged(block) from None
    return b"".join(parts)


def _use(base: Base, looked_at: dict[bytes, Block], ranges: Sequence[Range], now: Millis) -> None:
    by_block: dict[bytes, list[Range]] = {}
    for one in ranges:
        by_block.setdefault(one.block, []).append(one)
    for name, own in by_block.items():
        used = looked_at[name].used
        for _, start, stop in own:
            used = spans.claim(used, start, stop)
        base.blocks.use(looked_at[name], used, own, now)


def _record(base: Base, order: Order, key: bytes, ranges: tuple[Range, ...], material: bytes) -> Issued:
    made = Announcement(
        key=key,
        master=order.master,
        slaves=order.slaves,
        size=order.size,
        ranges=ranges,
        expires=order.expires,
    )
    base.database.execute(
        "INSERT INTO issued VALUES (?, ?, ?, ?)", (key, order.link, codec.encode(made), order.expires)
    )
    if order.neighbours:
        base.wait(order.link, made, order.neighbours, material)
    base.tally.add(order.link, Count.ISSUED, order.size, order.master)
    base.tally.add(order.link, Count.ISSUED_KEYS, 1, order.master)
    return Issued(made, material)

"""Takes blocks in from an exchange, releases or destroys them, and ends what is over. Blocking."""

import logging
from typing import NamedTuple

from qfleet_agent.errors import AnnouncementRefused, BlockRefused, SealBroken
from qfleet_agent.keystore import allotment, announcement, issuing, spans
from qfleet_agent.keystore.allotment import BLOCK_ID_BYTES
from qfleet_agent.keystore.base import Base
from qfleet_agent.keystore.blocks import Block, required
from qfleet_agent.keystore.counts import Count
from qfleet_agent.keystore.states import MATERIAL, State, Step
from qfleet_wire.names import Millis

log = logging.getLogger(__name__)

MOST_BLOCK_BYTES = 16 * 1024 * 1024
"""A larger block is to be kept in parts: one is stored in one transaction."""
GRACE_MS = 600_000
"""How long an expired block still serves what the peer announces: the two clocks may differ."""
REMEMBERED_MS = 30 * 86_400_000
"""How long an ended block, and an expired key, is remembered, so that it cannot come again."""


class Fresh(NamedTuple):
    """A block that an exchange over ``link`` has given; never printed. It may be kept again after a cut."""

    link: str
    block: bytes
    material: bytes
    expires: Millis | None

    def __repr__(self) -> str:
        """Leave out the material."""
        return f"Fresh({self.link!r}, {self.block.hex()}, …)"


class Stock(NamedTuple):
    """What a link has, in bytes."""

    ours: int
    """Released and unused, in our half."""
    theirs: int
    """Released and unused, in the peer's half."""
    provisional: int
    damaged: int


def keep(base: Base, fresh: Fresh, now: Millis) -> None:
    """Store a block as provisional; the same block again changes nothing.

    Raises:
        BlockRefused: its id or size is not possible, or there was another block of that id.
    """
    link, block, material, expires = fresh
    if len(block) != BLOCK_ID_BYTES:
        raise BlockRefused(f"a block's id has {BLOCK_ID_BYTES} bytes, not {len(block)}")
    if not 2 <= len(material) <= MOST_BLOCK_BYTES:
        raise BlockRefused(f"a block has 2 to {MOST_BLOCK_BYTES} bytes, not {len(material)}")
    allotment.half(len(material), base.name, link)
    known = base.blocks.find(link, block)
    if known is None:
        base.blocks.add(link, block, material, now, expires)
    elif not _is_same(base, known, material):
        raise BlockRefused(
            f"block {block.hex()} of the link to {link} is {known.state} and cannot be kept again"
        )


def release(base: Base, link: str, block: bytes, now: Millis) -> None:
    """Let a block be used: the peer has confirmed its durable commit. Again is no error.

    Raises:
        BlockRefused: there is no such block, or it has ended.
    """
    found = required(base.blocks.find(link, block), link, block)
    if found.state is State.PROVISIONAL:
        base.blocks.step(found, Step.RELEASE, now)
    elif found.state not in {State.HELD, State.SPENT}:
        raise BlockRefused(f"block {block.hex()} of the link to {link} is {found.state}: it stays so")


def destroy(base: Base, link: str, block: bytes, now: Millis) -> None:
    """Give a block up and overwrite it; one that has ended stays as it is, one unknown is refused for good.

    Keys that were made of it before stay: both ends have them.
    """
    found = base.blocks.find(link, block)
    if found is None:
        # A row without material that is worth anything, so that the exchange cannot bring it later.
        base.blocks.add(link, block, bytes(2), now, None)
        found = required(base.blocks.find(link, block), link, block)
    if found.state in MATERIAL:
        base.blocks.step(found, Step.DESTROY, now)


def stock(base: Base, link: str, now: Millis) -> Stock:
    """Return what a link has."""
    ours = theirs = 0
    for block in base.blocks.in_state(link, State.HELD):
        if block.expires is None or block.expires > now:
            ours += allotment.free(block.lot, base.name, link)
            theirs += allotment.free(block.lot, link, base.name)
    waiting = sum(block.size for block in base.blocks.in_state(link, State.PROVISIONAL))
    damaged = sum(
        block.size - spans.length(block.used) for block in base.blocks.in_state(link, State.DAMAGED)
    )
    return Stock(ours, theirs, waiting, damaged)


def sweep(base: Base, now: Millis) -> list[issuing.Unconfirmed]:
    """End what has expired; return what the peers must be told of it."""
    for block in base.blocks.expired(Millis(now - GRACE_MS)):
        base.blocks.step(block, Step.EXPIRE, now)
    _end_waiting(base, now)
    overdue = [one for one in issuing.unconfirmed(base) if one.announcement.expires <= now]
    told = issuing.withdraw(base, overdue)
    base.database.execute("DELETE FROM blocks WHERE ended + ? <= ?", (REMEMBERED_MS, now))
    return told


def check(base: Base) -> list[issuing.Unconfirmed]:
    """Read what must be known at the start; what does not decode is reported and dropped."""
    for (key,) in base.database.execute("SELECT key FROM issued").fetchall():
        row = base.database.execute("SELECT announcement FROM issued WHERE key = ?", (key,)).fetchone()
        try:
            announcement.decode(row[0])
        except AnnouncementRefused as error:
            log.error(  # noqa: TRY400  # damage on the disk, no fault of ours
                "Key %s is forgotten: %s", key.hex(), error, extra={"action": "key-damaged"}
            )
            base.database.execute("DELETE FROM issued WHERE key = ?", (key,))
    return issuing.unconfirmed(base)


def _is_same(base: Base, known: Block, material: bytes) -> bool:
    if known.state not in {State.PROVISIONAL, State.HELD} or known.used:
        return False
    try:
        return base.blocks.same(known, material)
    except SealBroken:
        return False


def _end_waiting(base: Base, now: Millis) -> None:
    rows = base.database.execute(
        "SELECT key, link, length(sealed) FROM waiting WHERE expires <= ? AND sealed NOTNULL", (now,)
    ).fetchall()
    for key, link, length in rows:
        base.database.execute("UPDATE waiting SET sealed = NULL WHERE key = ?", (key,))
        base.tally.add(link, Count.UNFETCHED, length - base.sealer.overhead)
    for table in ("recipients", "waiting"):
        base.database.execute(
            f"DELETE FROM {table} WHERE key IN "  # noqa: S608  # one of two names of ours
            "(SELECT key FROM waiting WHERE expires + ? <= ?)",
            (REMEMBERED_MS, now),
        )

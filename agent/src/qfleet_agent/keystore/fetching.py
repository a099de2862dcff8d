"""Keys that the peer has made of its half, and that wait here for applications. Blocking."""

import contextlib
from collections.abc import Sequence
from typing import NamedTuple

from qfleet_agent.errors import (
    AnnouncementExpired,
    AnnouncementRefused,
    BitsUsed,
    KeyNotFound,
    NotNamed,
    SealBroken,
)
from qfleet_agent.keystore import allotment, announcement, issuing
from qfleet_agent.keystore.allotment import Lot, Range
from qfleet_agent.keystore.announcement import Announcement
from qfleet_agent.keystore.base import Base
from qfleet_agent.keystore.blocks import Block
from qfleet_agent.keystore.counts import Count
from qfleet_agent.keystore.states import State, Step
from qfleet_wire.channel.labels import Label
from qfleet_wire.names import Millis

_USABLE = (State.HELD, State.PROVISIONAL)


class Fetched(NamedTuple):
    """A key for an application; never printed."""

    key: bytes
    material: bytes

    def __repr__(self) -> str:
        """Leave out the key."""
        return f"Fetched({self.key.hex()}, …)"


def accept(base: Base, link: str, made: Announcement, now: Millis) -> None:
    """Store a key that the device at the other end of ``link`` has announced; again is no error.

    A provisional block is released by it: who takes bytes of a block has stored it.

    Raises:
        AnnouncementRefused: the key cannot be made here, with the reason.
    """
    announcement.check(made)
    if _is_known(base, made):
        return
    if made.expires <= now and not made.withdrawn:
        raise AnnouncementExpired(f"key {made.key.hex()} has expired")
    blocks = _named(base, link, made)
    ranges = _possible(base, link, made, blocks) if made.withdrawn else made.ranges
    try:
        used = allotment.check(ranges, _lots(blocks), ours=base.name, theirs=link)
    except BitsUsed as error:
        raise AnnouncementRefused(str(error), (error.block,)) from error
    material = None if made.withdrawn else _material(base, blocks, made, now)
    for name, spans in used.items():
        block = _released(base, blocks[name], now)
        base.blocks.use(block, spans, [one for one in ranges if one.block == name], now)
    base.wait(link, made, made.slaves, material)
    base.tally.add(link, Count.ACCEPTED, made.size)


def fetch(base: Base, master: str, caller: str, keys: Sequence[bytes], now: Millis) -> list[Fetched]:
    """Give an application all of ``keys``, or none; each is gone once all who were named have it.

    Raises:
        NotNamed: one of them was made for other applications.
        KeyNotFound: one of them is not here, was made by another master, or was fetched before.
    """
    names = [_recipient(base, key, caller) for key in keys]
    if None in names:
        raise NotNamed
    found = []
    for key, fetched in zip(keys, names, strict=True):
        row = base.database.execute(
            "SELECT sealed FROM waiting WHERE key = ? AND master = ? AND expires > ? AND sealed NOTNULL",
            (key, master, now),
        ).fetchone()
        if fetched is not False or row is None:
            raise KeyNotFound(f"no key {key.hex()} of {master} waits for {caller}")
        found.append(Fetched(key, _open(base, key, row[0])))
    if len(set(keys)) < len(keys):
        raise KeyNotFound("a key is asked for twice, and is given once")
    for key in keys:
        _mark(base, key, caller)
    return found


def _is_known(base: Base, made: Announcement) -> bool:
    row = base.database.execute("SELECT digest FROM waiting WHERE key = ?", (made.key,)).fetchone()
    if row is None:
        return False
    if row[0] != made.digest:
        raise AnnouncementRefused(f"key {made.key.hex()} was announced before, with other bytes or names")
    if made.withdrawn:
        base.database.execute("UPDATE waiting SET sealed = NULL WHERE key = ?", (made.key,))
    return True


def _named(base: Base, link: str, made: Announcement) -> dict[bytes, Block]:
    found = {}
    for name in {one.block for one in made.ranges}:
        block = base.blocks.find(link, name)
        if block is not None and block.state in _USABLE:
            found[name] = block
    return found


def _lots(blocks: dict[bytes, Block]) -> dict[bytes, Lot]:
    return {name: one.lot for name, one in blocks.items()}


def _possible(base: Base, link: str, made: Announcement, blocks: dict[bytes, Block]) -> tuple[Range, ...]:
    """What of a withdrawn key's bytes can be used up here: what it could not be made of is left out."""
    found: list[Range] = []
    for one in made.ranges:
        with contextlib.suppress(BitsUsed):
            allotment.check([*found, one], _lots(blocks), ours=base.name, theirs=link)
            found.append(one)
    return tuple(found)


def _material(base: Base, blocks: dict[bytes, Block], made: Announcement, now: Millis) -> bytes:
    parts = []
    for one in made.ranges:
        try:
            parts.append(base.blocks.read(blocks[one.block], one.start, one.stop))
        except SealBroken:
            issuing.set_aside(base, blocks[one.block], now)
            raise AnnouncementRefused(f"block {one.block.hex()} is damaged here", (one.block,)) from None
    return b"".join(parts)


def _released(base: Base, block: Block, now: Millis) -> Block:
    if block.state is State.PROVISIONAL:
        base.blocks.step(block, Step.RELEASE, now)
        return block._replace(state=State.HELD)
    return block


def _recipient(base: Base, key: bytes, caller: str) -> bool | None:
    """Whether the caller has fetched the key; None: it is another's; an unknown key counts as fetched."""
    row = base.database.execute(
        "SELECT fetched FROM recipients WHERE key = ? AND sae = ?", (key, caller)
    ).fetchone()
    if row is not None:
        return bool(row[0])
    others = base.database.execute("SELECT 1 FROM recipients WHERE key = ?", (key,)).fetchone()
    return True if others is None else None


def _open(base: Base, key: bytes, sealed: bytes) -> bytes:
    try:
        return base.sealer.open(sealed, Label.KEY_STORE_WAITING, key)
    except SealBroken:
        base.database.execute("UPDATE waiting SET sealed = NULL WHERE key = ?", (key,))
        issuing.log.error("Key %s does not open and is given up.", key.hex(), extra={"action": "key-damaged"})
        raise KeyNotFound(f"key {key.hex()} is damaged") from None


def _mark(base: Base, key: bytes, caller: str) -> None:
    base.database.execute("UPDATE recipients SET fetched = 1 WHERE key = ? AND sae = ?", (key, caller))
    base.database.execute(
        "UPDATE waiting SET sealed = NULL WHERE key = ? AND NOT EXISTS "
        "(SELECT 1 FROM recipients WHERE recipients.key = waiting.key AND NOT fetched)",
        (key,),
    )
    link = base.database.execute("SELECT link FROM waiting WHERE key = ?", (key,)).fetchone()[0]
    base.tally.add(link, Count.FETCHED_KEYS, 1, caller)

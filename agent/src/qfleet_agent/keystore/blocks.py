"""Statements on blocks and their sealed chunks. Blocking; always inside the store's transaction.

A block is stored in chunks, each sealed by itself, and a chunk is deleted (``secure_delete`` writes
zeros over it) with the commit that uses its last byte.
"""

import sqlite3
from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from qfleet_agent.errors import BlockRefused, SealBroken
from qfleet_agent.keystore import spans
from qfleet_agent.keystore.allotment import Lot, Range
from qfleet_agent.keystore.counts import Count, Tally
from qfleet_agent.keystore.sealer import Sealer
from qfleet_agent.keystore.spans import Spans
from qfleet_agent.keystore.states import MATERIAL, State, Step, after
from qfleet_wire.channel.labels import Label
from qfleet_wire.names import Millis

CHUNK_BYTES = 512
"""Used bytes stay, sealed, until their neighbours in the chunk are used too."""
_CACHED = 128
_COLUMNS = "number, link, block, state, size, used, expires"


class Block(NamedTuple):
    """A row of the table ``blocks``; ``size`` in bytes."""

    number: int
    link: str
    block: bytes
    state: State
    size: int
    used: Spans
    expires: Millis | None

    @property
    def lot(self) -> Lot:
        """What can be taken of it."""
        return Lot(self.block, self.size, self.used)


class Blocks:
    """The blocks of an open store; plain chunks that were read last stay in memory."""

    def __init__(self, database: sqlite3.Connection, sealer: Sealer, tally: Tally) -> None:
        self._database = database
        self._tally = tally
        self._sealer = sealer
        self._plain: OrderedDict[tuple[int, int], bytes] = OrderedDict()

    def forget(self) -> None:
        """Drop what was read: a transaction was rolled back, and numbers may come again."""
        self._plain.clear()

    def find(self, link: str, block: bytes) -> Block | None:
        """Read one block."""
        row = self._database.execute(
            f"SELECT {_COLUMNS} FROM blocks WHERE link = ? AND block = ?",  # noqa: S608  # our own columns
            (link, block),
        ).fetchone()
        return None if row is None else _block(row)

    def in_state(self, link: str, state: State) -> Iterator[Block]:
        """Read the blocks of a link one by one, the oldest first."""
        rows = self._database.execute(
            f"SELECT {_COLUMNS} FROM blocks WHERE link = ? AND state = ? ORDER BY number",  # noqa: S608
            (link, state),
        )
        return map(_block, rows)

    def expired(self, before: Millis) -> list[Block]:
        """Read the blocks that still have material and expired before a time."""
        rows = self._database.execute(
            f"SELECT {_COLUMNS} FROM blocks WHERE expires <= ? AND ended ISNULL",  # noqa: S608
            (before,),
        )
        return list(map(_block, rows))

    def add(self, link: str, block: bytes, material: bytes, kept: Millis, expires: Millis | None) -> None:
        """Store a new block."""
        state = after(State.UNKNOWN, Step.KEEP)
        number = self._database.execute(
            "INSERT INTO blocks (link, block, state, size, used, kept, expires) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (link, block, state, len(material), _encode(()), kept, expires),
        ).lastrowid
        assert number is not None
        place = _place(link, block, len(material))
        rows = [
            (number, at // CHUNK_BYTES, self._seal(material[at : at + CHUNK_BYTES], at // CHUNK_BYTES, place))
            for at in range(0, len(material), CHUNK_BYTES)
        ]
        self._database.executemany("INSERT INTO chunks VALUES (?, ?, ?)", rows)
        self._tally.add(link, Count.KEPT, len(material))

    def step(self, block: Block, step: Step, now: Millis) -> None:
        """Move a block to its next state; what has ended loses its material."""
        state = after(block.state, step)
        ended = None if state in MATERIAL else now
        self._database.execute(
            "UPDATE blocks SET state = ?, ended = ? WHERE number = ?", (state, ended, block.number)
        )
        if state not in MATERIAL:
            self._database.execute("DELETE FROM chunks WHERE number = ?", (block.number,))
            for name in [name for name in self._plain if name[0] == block.number]:
                del self._plain[name]
        if step in _COUNTED:
            self._tally.add(block.link, _COUNTED[step], block.size - spans.length(block.used))

    def read(self, block: Block, start: int, stop: int) -> bytes:
        """Return bytes of a block.

        Raises:
            SealBroken: a chunk is missing, damaged, or sealed by another key.
        """
        chunks = range(start // CHUNK_BYTES, (stop - 1) // CHUNK_BYTES + 1)
        plain = b"".join(self._chunk(block, chunk) for chunk in chunks)
        skipped = start - chunks.start * CHUNK_BYTES
        return plain[skipped : skipped + stop - start]

    def use(self, block: Block, used: Spans, ranges: list[Range], now: Millis) -> None:
        """Store what is used of a block, and delete the chunks of ``ranges`` that are used whole."""
        self._database.execute("UPDATE blocks SET used = ? WHERE number = ?", (_encode(used), block.number))
        if spans.covers(used, 0, block.size):
            self.step(block._replace(used=used), Step.SPEND, now)
            return
        for chunk in _touched(ranges):
            if spans.covers(used, chunk * CHUNK_BYTES, min((chunk + 1) * CHUNK_BYTES, block.size)):
                self._plain.pop((block.number, chunk), None)
                self._database.execute(
                    "DELETE FROM chunks WHERE number = ? AND chunk = ?", (block.number, chunk)
                )

    def same(self, block: Block, material: bytes) -> bool:
        """Whether a block, of which nothing is used, has this material."""
        return block.size == len(material) and self.read(block, 0, block.size) == material

    def _chunk(self, block: Block, chunk: int) -> bytes:
        name = block.number, chunk
        plain = self._plain.get(name)
        if plain is None:
            row = self._database.execute(
                "SELECT sealed FROM chunks WHERE number = ? AND chunk = ?", name
            ).fetchone()
            if row is None:
                raise SealBroken(f"chunk {chunk} of block {block.block.hex()} is missing")
            plain = self._open(row[0], chunk, _place(block.link, block.block, block.size))
            self._plain[name] = plain
            if len(self._plain) > _CACHED:
                self._plain.popitem(last=False)
        return plain

    def _seal(self, plain: bytes, chunk: int, place: tuple[bytes, ...]) -> bytes:
        return self._sealer.seal(plain, Label.KEY_STORE_CHUNK, *place, chunk.to_bytes(8, "big"))

    def _open(self, sealed: bytes, chunk: int, place: tuple[bytes, ...]) -> bytes:
        return self._sealer.open(sealed, Label.KEY_STORE_CHUNK, *place, chunk.to_bytes(8, "big"))


_COUNTED = {
    Step.RELEASE: Count.RELEASED,
    Step.EXPIRE: Count.EXPIRED,
    Step.DESTROY: Count.DESTROYED,
    Step.SET_ASIDE: Count.DAMAGED,
}


def required(block: Block | None, link: str, name: bytes) -> Block:
    """Return the block. Raises ``BlockRefused`` where there is none."""
    if block is None:
        raise BlockRefused(f"the link to {link} has no block {name.hex()}")
    return block


def _place(link: str, block: bytes, size: int) -> tuple[bytes, ...]:
    return link.encode(), block, size.to_bytes(8, "big")


def _touched(ranges: list[Range]) -> set[int]:
    return {
        chunk
        for one in ranges
        for chunk in range(one.start // CHUNK_BYTES, (one.stop - 1) // CHUNK_BYTES + 1)
    }


def _encode(used: Spans) -> bytes:
    return msgspec.msgpack.encode(used)


def _block(row: tuple[int, str, bytes, str, int, bytes, Millis | None]) -> Block:
    number, link, block, state, size, used, expires = row
    return Block(number, link, block, State(state), size, _decode(used), expires)


def _decode(used: bytes) -> Spans:
    return _spans.decode(used)


_spans = msgspec.msgpack.Decoder(Spans)

"""Two key stores that share blocks, as the two ends of a link have them."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from qfleet_agent.keystore import recovery
from qfleet_agent.keystore.issuing import Order
from qfleet_agent.keystore.keeper import Keeper
from qfleet_agent.keystore.store import Bounds
from qfleet_wire.names import Millis

LEFT, RIGHT = "ground-a", "ground-b"
BEGIN = Millis(1_800_000_000_000)
HOUR_MS = 3_600_000


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> Millis:
        return self.now

    def pass_ms(self, milliseconds: int) -> None:
        self.now = Millis(self.now + milliseconds)


def material(block: bytes, size: int) -> bytes:
    """Bytes that differ everywhere, so that a key tells where it was cut."""
    return hashlib.shake_256(block).digest(size)


def block_id(number: int) -> bytes:
    return hashlib.sha256(number.to_bytes(8, "big")).digest()[:16]


def open_keeper(folder: Path, name: str, clock: Clock, seed: int = 0, bounds: Bounds | None = None) -> Keeper:
    folder.mkdir(exist_ok=True, parents=True)
    chance = random.Random(seed)
    return Keeper(recovery.open_store(folder, name, chance.randbytes, clock.now, bounds), clock)


class Ends(NamedTuple):
    left: Keeper
    right: Keeper
    clock: Clock

    async def fill(self, number: int = 1, size: int = 4096, *, expires: Millis | None = None) -> None:
        """Give both ends a released block."""
        block = block_id(number)
        for end, link in ((self.left, RIGHT), (self.right, LEFT)):
            await end.keep(link, block, material(block, size), expires)
            await end.release(link, block)

    def order(self, *keys: int, size: int = 32, slaves: tuple[str, ...] = ("bob",)) -> Order:
        """What the application alice asks the left end for."""
        return Order(
            RIGHT,
            "alice",
            slaves,
            (),
            tuple(key.to_bytes(16, "big") for key in keys),
            size,
            Millis(self.clock.now + HOUR_MS),
        )


@asynccontextmanager
async def ends(folder: Path) -> AsyncIterator[Ends]:
    clock = Clock()
    left = open_keeper(folder / "left", LEFT, clock, 1)
    right = open_keeper(folder / "right", RIGHT, clock, 2)
    try:
        yield Ends(left, right, clock)
    finally:
        await asyncio.gather(left.close(), right.close())

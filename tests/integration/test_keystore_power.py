"""The power goes at any write of either end: no bits serve twice, and no key is with one end alone.

5 rounds here, in each of which both ends die; ``QFLEET_KEY_CUTS=1000`` makes it 1,000. A failure
prints its seed, which ``QFLEET_KEY_SEED`` sets. Half of the deaths leave the files to the system, half
take from the disk all that was not synced, some of that torn in the middle of a page.
"""

import asyncio
import os
import random
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.integration import key_zygote
from tests.integration.agent_power import Device, Lost, build
from tests.integration.key_stores import LEFT, RIGHT
from tests.integration.key_zygote import material

from qfleet_agent.keystore import store

CUTS = int(os.environ.get("QFLEET_KEY_CUTS", "5"))
SEED = int(os.environ.get("QFLEET_KEY_SEED", "0")) or time.time_ns() % 1_000_000
LONGEST_S = 0.4
PATIENCE_S = 60.0


class KeyDevice(Device):
    """A device's key store with the disk under it, and the key delivery."""

    zygote = Path(key_zygote.__file__)

    def __init__(self, folder: Path, name: str, library: Path, chance: random.Random) -> None:
        super().__init__(folder / name / "config", library, chance)
        self.file = store.path_in(self.state)
        self.name = name
        self._folder = folder
        self.state.mkdir(parents=True)

    async def live(self, peer: str, number: int, *, kill_at: int = 0, how: str = "FULL") -> None:
        words = f"{self._folder} {self.name} {peer} {number} {'FULL' if how == 'LIES' else how}"
        await self.begin(words, kill_at=kill_at, lies=how == "LIES")


class Pair:
    """Two devices, and all that they have said."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        library = build(folder)
        self.folder = folder
        self.chance = chance
        self.ends = [KeyDevice(folder, name, library, chance) for name in (LEFT, RIGHT)]
        self.number = 0

    async def round(self, how: str = "FULL") -> None:
        """Both live for a while, and die."""
        self.number += 1
        for device, peer in zip(self.ends, (RIGHT, LEFT), strict=True):
            at_write = self.chance.random() < 0.6
            kill_at = self.chance.randrange(1, 80) if at_write else 0
            await device.live(peer, self.number, kill_at=kill_at, how=how)
        ends = time.monotonic() + (0.3 + 0.7 * self.chance.random()) * LONGEST_S
        while time.monotonic() < ends and any(device.is_alive for device in self.ends):  # noqa: ASYNC110  # other processes end
            await asyncio.sleep(0.01)
        for device in self.ends:
            await device.kill()
            if how != "FULL" or self.chance.random() < 0.5:
                device.cut()
            else:
                device.settle()

    async def settle(self, is_done: Callable[[], bool]) -> None:
        """Both live until all is as it should be, and are killed."""
        for device, peer in zip(self.ends, (RIGHT, LEFT), strict=True):
            await device.live(peer, self.number)
        async with asyncio.timeout(PATIENCE_S):
            while not is_done():  # noqa: ASYNC110  # other processes work
                await asyncio.sleep(0.02)
        for device in self.ends:
            await device.kill()

    def lines(self, name: str, word: str) -> list[list[str]]:
        found = (line.split() for line in key_zygote.said(self.folder, name))
        return [words[1:] for words in found if words[0] == word]

    def made(self) -> dict[str, bytes]:
        return {key: bytes.fromhex(raw) for end in (LEFT, RIGHT) for key, raw in self.lines(end, "made")}

    def check(self) -> None:
        """Hold what was said against what must be. Raises ``Lost``."""
        self._check_cuts()
        made = self.made()
        for name in (LEFT, RIGHT):
            fetched = self.lines(name, "fetched")
            if len({key for key, _ in fetched}) < len(fetched):
                raise Lost("a key was fetched twice")
            for key, raw in fetched:
                if made[key].hex() != raw:
                    raise Lost(f"{key} is not the same at both ends")
            if lacking := self.lines(name, "lacks"):
                raise Lost(f"{name} does not have what was delivered: {lacking[:3]}")
            if refused := self.lines(name, "refused"):
                raise Lost(f"{name} has given up a block that it kept: {refused[:3]}")
            logged = (self.folder / name / "errors").read_text().splitlines()
            if strange := [line for line in logged if not line.startswith("No keys for the link to")]:
                raise Lost(f"{name} has logged: {strange[-20:]}")

    def _check_cuts(self) -> None:
        """Each key is made of bytes that no other key had, whether it was delivered or not."""
        made, used = self.made(), set[tuple[str, int]]()
        for name in (LEFT, RIGHT):
            for key, *ranges in self.lines(name, "cut"):
                plain = b""
                for block, start, stop in (one.split(":") for one in ranges):
                    own = {(block, byte) for byte in range(int(start), int(stop))}
                    if own & used:
                        raise Lost(f"{key} has bits that another key had")
                    used |= own
                    plain += material(bytes.fromhex(block))[int(start) : int(stop)]
                if made.get(key, plain) != plain:
                    raise Lost(f"{key} is not of what both ends hold")

    def all_is_settled(self) -> bool:
        """Whether all that was delivered was asked for at the other end."""
        return all(
            {key for key, _ in self.lines(here, "made")} <= {key for (key,) in self.lines(there, "tries")}
            for here, there in ((LEFT, RIGHT), (RIGHT, LEFT))
        )

    def used(self, device: KeyDevice) -> dict[bytes, bytes]:
        rows = sqlite3.connect(device.file)
        found = dict(rows.execute("SELECT block, used FROM blocks").fetchall())
        rows.close()
        return found


@asynccontextmanager
async def pair(folder: Path, seed: int) -> AsyncIterator[Pair]:
    both = Pair(folder, random.Random(seed))
    for device in both.ends:
        await device.open()
    try:
        yield both
    finally:
        for device in both.ends:
            await device.close()


def test_no_cut_uses_bits_twice_or_leaves_a_key_with_one_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with pair(tmp_path, SEED) as both:
            for _ in range(CUTS):
                await both.round()
                both.check()
            before = len(both.made())
            await both.settle(lambda: len(both.made()) > before + 4 and both.all_is_settled())
            both.check()
            assert len(both.made()) >= CUTS

    try:
        asyncio.run(scenario())
    except BaseException:
        sys.stderr.write(f"QFLEET_KEY_SEED={SEED} QFLEET_KEY_CUTS={CUTS}\n")
        raise


@pytest.mark.skipif("QFLEET_KEY_CUTS" not in os.environ, reason="takes seconds: set QFLEET_KEY_CUTS")
@pytest.mark.parametrize("how", ["LIES", "OFF"])
def test_a_disk_that_lies_or_a_store_that_does_not_wait_is_found(tmp_path: Path, how: str) -> None:
    async def scenario() -> None:
        async with pair(tmp_path, 7) as both:
            for _ in range(40):
                await both.round(how)
                both.check()

    with pytest.raises(Lost):
        asyncio.run(scenario())

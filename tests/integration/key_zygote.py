"""Starts key deliveries by fork: ``python key_zygote.py``; see ``zygote``.

``start FOLDER NAME PEER BLOCKS HOW``; the process keeps blocks as an exchange gives them, releases what the
peer says it has kept, makes keys for its own application and fetches those of the peer's, and writes a line
for each thing that is certain then.
"""

import asyncio
import base64
import hashlib
import os
import random
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from tests.integration import zygote

from qfleet_agent.delivery.entity import Entity, Terms, World
from qfleet_agent.delivery.local import LocalAnnouncer, LocalListener
from qfleet_agent.delivery.outbox import Patience
from qfleet_agent.delivery.places import Places
from qfleet_agent.delivery.refusals import Refused
from qfleet_agent.delivery.requests import Bounds, Decrypt, Encrypt
from qfleet_agent.errors import BlockRefused
from qfleet_agent.keystore import recovery
from qfleet_agent.keystore.issuing import Issued, Order
from qfleet_agent.keystore.keeper import Keeper
from qfleet_agent.keystore.store import Store
from qfleet_wire.names import Millis

BLOCK_BYTES = 3000


class Telling(Keeper):
    """Says of each key which bytes it was cut from, before anybody else hears of it."""

    say: Callable[..., None]

    async def issue(self, order: Order) -> list[Issued]:
        issued = await super().issue(order)
        for one in issued:
            ranges = [f"{block.hex()}:{start}:{stop}" for block, start, stop in one.announcement.ranges]
            self.say("cut", str(uuid.UUID(bytes=one.announcement.key)), *ranges)
        return issued


class Life:
    """One life of a device's key delivery."""

    def __init__(self, folder: Path, name: str, peer: str, blocks: int) -> None:
        self._folder, self._name, self._peer, self._blocks = folder, name, peer, blocks
        self._chance = random.Random(os.urandom(8))
        self._log = os.open(folder / name / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def live(self) -> None:
        state = self._folder / self._name / "state"
        state.mkdir(exist_ok=True)
        keeper = Telling(recovery.open_store(state, self._name, os.urandom, now()), now)
        keeper.say = self._say
        announcer = LocalAnnouncer(self._name, {self._peer: self._folder / self._peer / "peer.sock"})
        places = Places(frozenset({f"at-{self._name}"}), {f"at-{self._peer}": self._peer})
        terms = Terms(self._name, Bounds(min_key_size=8), answer_s=1.0)
        entity = Entity(keeper, announcer, places, terms, World(now, os.urandom))
        entity._outbox._patience = Patience(0.5, 0.01, 0.03)  # the peer is back soon
        listener = LocalListener(
            self._folder / self._name / "peer.sock", entity.hear, frozenset({self._peer})
        )
        await listener.start()
        await entity.start()
        await asyncio.gather(self._exchange(keeper), self._make(entity), self._fetch(entity))

    async def _exchange(self, keeper: Keeper) -> None:
        for number in range(self._blocks):
            try:
                await keeper.keep(self._peer, block_id(number), material(block_id(number)))
            except BlockRefused:
                continue  # it is spent
            self._say("kept", str(number))
        waiting = set(range(self._blocks))
        while True:
            for number in sorted(waiting & {int(one) for one in self._said("kept", self._peer)}):
                waiting.discard(number)
                try:
                    await keeper.release(self._peer, block_id(number))
                except BlockRefused:
                    self._say("refused", str(number))
            await asyncio.sleep(0.01)

    async def _make(self, entity: Entity) -> None:
        while True:
            size = 8 * self._chance.choice((1, 16, 32, 32, 100, 700))
            asked = Encrypt(f"at-{self._peer}", (), self._chance.randrange(1, 4), size, ())
            try:
                given = await entity.encrypt(f"at-{self._name}", asked)
            except Refused:
                await asyncio.sleep(0.01)
                continue
            for key in given.keys:
                self._say("made", key.key_id, base64.b64decode(key.key).hex())

    async def _fetch(self, entity: Entity) -> None:
        tried = set(self._said("tries", self._name))
        while True:
            for name in self._said("made", self._peer):
                if name in tried:
                    continue
                tried.add(name)
                self._say("tries", name)
                try:
                    given = await entity.decrypt(
                        f"at-{self._name}", Decrypt(f"at-{self._peer}", (uuid.UUID(name).bytes,))
                    )
                except Refused as refused:
                    self._say("lacks", name, str(refused.status))
                    continue
                self._say("fetched", name, base64.b64decode(given.keys[0].key).hex())
            await asyncio.sleep(0.005)

    def _say(self, *words: str) -> None:
        os.write(self._log, (" ".join(words) + "\n").encode())

    def _said(self, word: str, name: str) -> list[str]:
        return [line.split()[1] for line in said(self._folder, name) if line.startswith(word)]


def said(folder: Path, name: str) -> list[str]:
    """The lines that a device has written whole."""
    path = folder / name / "log"
    return path.read_text().split("\n")[:-1] if path.exists() else []


def block_id(number: int) -> bytes:
    """The 16 bytes that name a block of an exchange."""
    return hashlib.sha256(number.to_bytes(8, "big")).digest()[:16]


def material(block: bytes) -> bytes:
    """What both ends have of a block."""
    return hashlib.shake_256(block).digest(BLOCK_BYTES)


def now() -> Millis:
    return Millis(time.time_ns() // 1_000_000)


def start(folder: str, name: str, peer: str, blocks: str, how: str) -> int:
    def live() -> int:
        if how != "FULL":
            weaken(how)
        asyncio.run(Life(Path(folder), name, peer, int(blocks)).live())
        return 0

    return zygote.born(Path(folder) / name / "errors", live)


def weaken(synchronous: str) -> None:
    """Plant the bug that the tests must find: the store does not wait for the disk."""
    prepare = Store._prepare

    def weakly(store: Store) -> None:
        prepare(store)
        store._database.execute(f"PRAGMA synchronous = {synchronous}")

    Store._prepare = weakly  # type: ignore[method-assign,assignment]  # a bug is planted


if __name__ == "__main__":
    zygote.serve(start)

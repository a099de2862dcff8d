"""Two KMEs with a way between them that can be cut."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from tests.integration.key_stores import LEFT, RIGHT, Ends, ends

from qfleet_agent.delivery.announcer import Answer, Hearer, PeerSilent
from qfleet_agent.delivery.entity import Entity, Terms, World
from qfleet_agent.delivery.places import Places
from qfleet_agent.keystore.announcement import Announcement

PLACES = {
    LEFT: Places(frozenset({"alice", "anna"}), {"bob": RIGHT, "carol": RIGHT, "dave": "ground-c"}),
    RIGHT: Places(frozenset({"bob", "carol"}), {"alice": LEFT, "anna": LEFT}),
}


class Wire:
    """Carries announcements within a process; ``lose_answers`` loses what the peer says, ``cut`` all."""

    def __init__(self) -> None:
        self.hearers: dict[str, Hearer] = {}
        self.cut = False
        self.lose_answers = False
        self.batches: list[int] = []

    def way(self, sender: str) -> "_Way":
        return _Way(self, sender)


class _Way:
    def __init__(self, wire: Wire, sender: str) -> None:
        self._wire = wire
        self._sender = sender

    async def announce(self, link: str, batch: Sequence[Announcement]) -> Sequence[Answer]:
        if self._wire.cut:
            raise PeerSilent("the wire is cut")
        self._wire.batches.append(len(batch))
        answers = await self._wire.hearers[link](self._sender, batch)
        if self._wire.lose_answers:
            raise PeerSilent("the answer was lost")
        return answers


class Sites(NamedTuple):
    left: Entity
    right: Entity
    ends: Ends
    wire: Wire


@asynccontextmanager
async def sites(folder: Path, answer_s: float = 10.0) -> AsyncIterator[Sites]:
    async with ends(folder) as both:
        wire, chance = Wire(), random.Random(5)
        made = []
        for name, keeper in ((LEFT, both.left), (RIGHT, both.right)):
            entity = Entity(
                keeper,
                wire.way(name),
                PLACES[name],
                Terms(name, answer_s=answer_s),
                World(both.clock, chance.randbytes),
            )
            wire.hearers[name] = entity.hear
            made.append(entity)
        try:
            yield Sites(made[0], made[1], both, wire)
        finally:
            for entity in made:
                await entity.close()

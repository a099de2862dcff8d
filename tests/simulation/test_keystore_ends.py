"""Two key stores through seeded schedules of everything that can happen between them.

Announcements are lost, doubled and reordered, keys withdrawn, blocks released late, destroyed or expired,
stores closed and opened again. ``QFLEET_KEY_SCHEDULES=1000`` runs as many; a failure prints its seed.
"""

import os
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.integration.key_stores import BEGIN, LEFT, RIGHT, block_id, material

from qfleet_agent.errors import AnnouncementExpired, AnnouncementRefused, KeyNotFound, KeysExhausted
from qfleet_agent.keystore import fetching, issuing, keeping, recovery
from qfleet_agent.keystore.announcement import Announcement
from qfleet_agent.keystore.issuing import Order, Unconfirmed
from qfleet_agent.keystore.keeping import Fresh
from qfleet_agent.keystore.spans import length
from qfleet_agent.keystore.states import State
from qfleet_agent.keystore.store import Store
from qfleet_wire.names import Millis

SCHEDULES = int(os.environ.get("QFLEET_KEY_SCHEDULES", "8"))
STEPS = 150
BLOCK_BYTES = 700
LIFE_MS = 50_000


class End:
    """One end: its store, and what was said and done here."""

    def __init__(self, folder: Path, name: str, peer: str, chance: random.Random) -> None:
        self.name, self.peer = name, peer
        self._folder, self._chance = folder, chance
        folder.mkdir()
        self.store = self._open()
        self.made: dict[bytes, tuple[Announcement, bytes]] = {}
        self.taken: set[bytes] = set()
        """Keys that the peer has confirmed, and that were delivered with that."""
        self.given_up: set[bytes] = set()
        self.fetched: set[bytes] = set()

    def _open(self) -> Store:
        store = recovery.open_store(self._folder, self.name, self._chance.randbytes, BEGIN)
        store._database.execute("PRAGMA synchronous = OFF")  # the power stays on here
        return store

    def do(self, call: Callable[..., Any], *arguments: Any) -> Any:
        (outcome,) = self.store.batch([lambda base: call(base, *arguments)])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def restart(self) -> None:
        self.store.close()
        self.store = self._open()


class Schedule:
    """A seeded run; every step is one of the methods that ``STEP`` names."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now = BEGIN
        left = End(folder / "left", LEFT, RIGHT, self.chance)
        right = End(folder / "right", RIGHT, LEFT, self.chance)
        self.ends = (left, right)
        self.blocks = 0
        self.used: set[tuple[bytes, int]] = set()
        self.on_the_way: list[tuple[End, Announcement]] = []

    def other(self, end: End) -> End:
        return self.ends[1] if end is self.ends[0] else self.ends[0]

    def step(self) -> None:
        end = self.chance.choice(self.ends)
        name = self.chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        getattr(self, name)(end)
        self.now = Millis(self.now + self.chance.choice((1, 1, 100, 3_000)))

    def fill(self, end: End) -> None:
        block, expires = block_id(self.blocks), self.chance.choice((None, Millis(self.now + 2 * LIFE_MS)))
        self.blocks += 1
        both = [end, self.other(end)]
        for one in both:
            one.do(keeping.keep, Fresh(one.peer, block, material(block, BLOCK_BYTES), expires), self.now)
        for one in both[: self.chance.randrange(1, 3)]:
            one.do(keeping.release, one.peer, block, self.now)

    def issue(self, end: End) -> None:
        keys = tuple(self.chance.randbytes(16) for _ in range(self.chance.randrange(1, 4)))
        size, expires = self.chance.choice((1, 16, 32, 500)), Millis(self.now + LIFE_MS)
        order = Order(end.peer, f"at-{end.name}", (f"at-{end.peer}",), (), keys, size, expires)
        try:
            issued = end.do(issuing.issue, order, self.now)
        except KeysExhausted:
            return
        for made, plain in issued:
            assert plain == b"".join(
                material(block, BLOCK_BYTES)[start:stop] for block, start, stop in made.ranges
            )
            own = {(one.block, byte) for one in made.ranges for byte in range(one.start, one.stop)}
            assert not own & self.used, "bits that another key had"
            assert len(own) == made.size
            self.used |= own
            end.made[made.key] = made, plain
            self.on_the_way.append((end, made))

    def carry(self, _: End) -> None:
        if not self.on_the_way:
            return
        number = self.chance.randrange(len(self.on_the_way))
        sender, made = self.on_the_way[number]
        if self.chance.random() < 0.7:
            del self.on_the_way[number]
        heard = self.hear(self.other(sender), made)
        if self.chance.random() < 0.7:
            self.answer(sender, made, heard)

    def hear(self, end: End, made: Announcement) -> str | tuple[bytes, ...]:
        try:
            end.do(fetching.accept, end.peer, made, self.now)
        except AnnouncementExpired:
            return "unwanted"
        except AnnouncementRefused as refused:
            verdict = refused.blocks
        else:
            return "taken"
        assert verdict
        assert not made.withdrawn
        return verdict

    def answer(self, end: End, made: Announcement, verdict: str | tuple[bytes, ...]) -> None:
        waiting = {one.announcement for one in end.do(issuing.unconfirmed)}
        if made not in waiting:
            return
        if verdict == "unwanted":
            self.give_up(end, made)
        elif isinstance(verdict, tuple):
            (told,) = end.do(issuing.refused, end.peer, made, verdict, self.now)
            end.given_up.add(made.key)
            self.on_the_way.append((end, told.announcement))
        else:
            end.do(issuing.confirm, [made.key])
            if not made.withdrawn:
                end.taken.add(made.key)

    def withdraw(self, end: End) -> None:
        waiting = [one.announcement for one in end.do(issuing.unconfirmed)]
        if waiting:
            self.give_up(end, self.chance.choice(waiting))

    def give_up(self, end: End, made: Announcement) -> None:
        (told,) = end.do(issuing.withdraw, [Unconfirmed(end.peer, made)])
        end.given_up.add(made.key)
        self.on_the_way.append((end, told.announcement))

    def fetch(self, end: End) -> None:
        maker = self.other(end)
        if not maker.made:
            return
        made, plain = maker.made[self.chance.choice(list(maker.made))]
        try:
            (given,) = end.do(fetching.fetch, f"at-{maker.name}", f"at-{end.name}", [made.key], self.now)
        except KeyNotFound:
            lost = made.key in end.fetched or made.expires <= self.now or made.key not in maker.taken
            assert lost, "a key that was delivered is not at the other end"
        else:
            assert made.key not in end.fetched, "fetched twice"
            assert given.material == plain
            end.fetched.add(made.key)

    def destroy(self, end: End) -> None:
        if self.blocks:
            end.do(keeping.destroy, end.peer, block_id(self.chance.randrange(self.blocks)), self.now)

    def sweep(self, end: End) -> None:
        for one in end.do(keeping.sweep, self.now):
            end.given_up.add(one.announcement.key)
            self.on_the_way.append((end, one.announcement))

    def restart(self, end: End) -> None:
        end.restart()
        self.on_the_way += [(end, one.announcement) for one in end.do(issuing.unconfirmed)]

    def heal(self) -> None:
        """All is said until nothing is left to say; then both ends must agree."""
        for _ in range(20):
            for end in self.ends:
                for one in end.do(issuing.unconfirmed):
                    heard = self.hear(self.other(end), one.announcement)
                    self.answer(end, one.announcement, heard)
        for end in self.ends:
            assert not end.do(issuing.unconfirmed)
        for number in range(self.blocks):
            found = [end.do(_find, end.peer, block_id(number)) for end in self.ends]
            if all(one.state in {State.HELD, State.SPENT} for one in found):
                assert found[0].used == found[1].used
                assert length(found[0].used) <= BLOCK_BYTES

    def close(self) -> None:
        for end in self.ends:
            end.store.close()


WEIGHTS = {
    "fill": 8,
    "issue": 30,
    "carry": 40,
    "withdraw": 4,
    "fetch": 25,
    "destroy": 1,
    "sweep": 3,
    "restart": 2,
}


def _find(base: Any, link: str, block: bytes) -> Any:
    return base.blocks.find(link, block)


@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_two_ends_agree_whatever_happens(tmp_path: Path, seed: int) -> None:
    schedule = Schedule(tmp_path, seed)
    try:
        for _ in range(STEPS):
            schedule.step()
        schedule.heal()
        assert any(end.fetched for end in schedule.ends)
    finally:
        schedule.close()


def test_a_store_that_forgets_what_is_used_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plant the bug that the schedules must find."""
    monkeypatch.setattr(issuing, "_use", partial(lambda *_: None))
    with pytest.raises(AssertionError, match="bits that another key had"):
        test_two_ends_agree_whatever_happens(tmp_path, 1)

"""Two KMEs whose announcements go over lines between devices, in memory."""

import asyncio
import uuid
from collections.abc import Coroutine, Sequence
from pathlib import Path

import msgspec
import pytest
from tests.integration.key_sites import PLACES, Sites, Wire
from tests.integration.key_stores import HOUR_MS, LEFT, RIGHT, Ends, block_id, ends

from qfleet_agent.delivery.announcer import Answer, PeerSilent
from qfleet_agent.delivery.entity import Entity, Terms, World
from qfleet_agent.delivery.requests import Decrypt, Encrypt
from qfleet_agent.errors import KeyParcelInvalid
from qfleet_agent.keyservice import parcels
from qfleet_agent.keyservice.announcing import PeerAnnouncer
from qfleet_agent.keystore.allotment import Range
from qfleet_agent.keystore.announcement import Announcement
from qfleet_agent.peers.stream import MOST_MESSAGE
from qfleet_wire import codec
from qfleet_wire.names import Millis

LIMIT_S = 60.0


def _within_limit(run: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(run, LIMIT_S))


class Lines:
    """A line between two announcers that keeps order; ``lost``: so many messages go nowhere."""

    def __init__(self) -> None:
        self.announcers = {LEFT: self._announcer(LEFT), RIGHT: self._announcer(RIGHT)}
        self.messages: list[bytes] = []
        self.sent = asyncio.Event()
        self.lost = 0

    def _announcer(self, name: str) -> PeerAnnouncer:
        async def post(link: str, message: bytes) -> None:
            assert len(message) <= MOST_MESSAGE
            other = self.announcers[link]
            self.messages.append(message)
            self.sent.set()
            if self.lost:
                self.lost -= 1
                return
            match parcels.opened(message):
                case parcels.Announced() as said:
                    await other.heard(name, said)
                case parcels.Answered() as said:
                    other.answered(name, said)

        return PeerAnnouncer(post)


def announcement(number: int, ranges: int = 1) -> Announcement:
    return Announcement(
        key=number.to_bytes(16, "big"),
        master="alice",
        slaves=("bob",),
        size=ranges,
        ranges=tuple(Range(block_id(1), at, at + 1) for at in range(ranges)),
        expires=Millis(HOUR_MS),
    )


def _entity(both: Ends, lines: Lines, name: str) -> Entity:
    keeper = both.left if name == LEFT else both.right
    ids = iter(range(1, 100))
    world = World(both.clock, lambda size: next(ids).to_bytes(size, "big"))
    made = Entity(keeper, lines.announcers[name], PLACES[name], Terms(name, answer_s=30.0), world)
    lines.announcers[name].hearer = made.hear
    return made


def test_a_key_that_one_end_gives_is_fetched_at_the_other(tmp_path: Path) -> None:
    async def run() -> None:
        lines = Lines()
        async with ends(tmp_path) as both:
            left, right = (_entity(both, lines, name) for name in (LEFT, RIGHT))
            await both.fill()
            sites = Sites(left, right, both, Wire())
            given = await sites.left.encrypt("alice", Encrypt("bob", (), 3, 256, ()))
            named = Decrypt("alice", tuple(uuid.UUID(key.key_id).bytes for key in given.keys))
            assert await sites.right.decrypt("bob", named) == given
            await left.close()
            await right.close()

    _within_limit(run())


def test_a_cut_tells_that_the_peer_may_not_have_heard() -> None:
    async def run() -> None:
        lines = Lines()
        lines.lost = 1
        asked = asyncio.create_task(lines.announcers[LEFT].announce(RIGHT, [announcement(1)]))
        await lines.sent.wait()
        lines.announcers[LEFT].cut("ground-c")
        lines.announcers[LEFT].cut(RIGHT)
        with pytest.raises(PeerSilent, match="was cut"):
            await asked
        with pytest.raises(PeerSilent, match="no line to ground-c"):
            await lines.announcers[LEFT].announce("ground-c", [announcement(1)])

    _within_limit(run())


def test_long_batches_are_split_and_each_answered() -> None:
    async def hearer(link: str, made: Sequence[Announcement]) -> list[Answer]:
        assert link == LEFT
        return [Answer(one.key, "taken", "x" * 1000) for one in made]

    async def run() -> None:
        lines = Lines()
        lines.announcers[RIGHT].hearer = hearer
        batch = [announcement(number, 200) for number in range(256)]
        wrong = msgspec.structs.replace(announcement(999), size=7)
        answers = await lines.announcers[LEFT].announce(RIGHT, [*batch, wrong])
        assert [one.key for one in answers if one.verdict == "taken"] == [one.key for one in batch]
        assert [one.verdict for one in answers if one.key == wrong.key] == ["no-such-bits"]
        assert len(lines.messages) > 2 * (sum(len(codec.encode(one)) for one in batch) // MOST_MESSAGE)

    _within_limit(run())


@pytest.mark.parametrize(
    "message", [b"", b"\x92\xa1e\x01", b"\x92\xa1z\xc4\x00", codec.encode(announcement(1))]
)
def test_what_is_no_parcel_is_refused(message: bytes) -> None:
    with pytest.raises(KeyParcelInvalid, match="not valid"):
        parcels.opened(message)

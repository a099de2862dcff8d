import asyncio
import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from tests.integration.key_stores import (
    BEGIN,
    HOUR_MS,
    LEFT,
    RIGHT,
    Clock,
    Ends,
    block_id,
    ends,
    material,
    open_keeper,
)

from qfleet_agent.errors import (
    AnnouncementRefused,
    BlockRefused,
    KeyNotFound,
    KeysExhausted,
    KeyStoreFull,
    NotNamed,
)
from qfleet_agent.keystore import keeping, sealer, store
from qfleet_agent.keystore.announcement import Announcement
from qfleet_agent.keystore.issuing import Unconfirmed
from qfleet_agent.keystore.keeper import Keeper
from qfleet_agent.keystore.keeping import Stock
from qfleet_agent.keystore.store import Bounds
from qfleet_wire.names import Millis


def on_both(folder: Path, scenario: Callable[[Ends], Awaitable[None]]) -> None:
    async def run() -> None:
        async with ends(folder) as both:
            await scenario(both)

    asyncio.run(run())


async def refusal(both: Ends, made: Announcement) -> str:
    (answer,) = await both.right.accept(LEFT, [made])
    assert isinstance(answer, AnnouncementRefused)
    return str(answer)


def test_an_issued_key_is_the_same_at_the_other_end_and_is_fetched_once(tmp_path: Path) -> None:
    async def scenario(both: Ends) -> None:
        await both.fill()
        (issued,) = await both.left.issue(both.order(1))
        assert issued.material == material(block_id(1), 4096)[:32]
        assert await both.right.accept(LEFT, [issued.announcement]) == [None]
        assert await both.right.accept(LEFT, [issued.announcement]) == [None]
        key = issued.announcement.key
        with pytest.raises(NotNamed):
            await both.right.fetch("alice", "carol", [key])
        with pytest.raises(KeyNotFound):
            await both.right.fetch("mallory", "bob", [key])
        (fetched,) = await both.right.fetch("alice", "bob", [key])
        assert fetched.material == issued.material
        with pytest.raises(KeyNotFound):
            await both.right.fetch("alice", "bob", [key])
        assert await both.right.accept(LEFT, [issued.announcement]) == [None]
        with pytest.raises(KeyNotFound):
            await both.right.fetch("alice", "bob", [key])
        assert "material" not in repr(issued)
        assert issued.material.hex() not in repr(issued) + repr(fetched)

    on_both(tmp_path, scenario)


def test_each_named_application_gets_the_key_before_it_is_gone(tmp_path: Path) -> None:
    async def scenario(both: Ends) -> None:
        await both.fill()
        made = await both.left.issue(both.order(1, 2, slaves=("bob", "carol")))
        await both.right.accept(LEFT, [one.announcement for one in made])
        first, second = (one.announcement.key for one in made)
        await both.right.fetch("alice", "bob", [first])
        with pytest.raises(KeyNotFound):  # all or none: the second stays
            await both.right.fetch("alice", "bob", [second, first])
        with pytest.raises(KeyNotFound):
            await both.right.fetch("alice", "bob", [second, second])
        with pytest.raises(KeyNotFound):
            await both.right.fetch("alice", "bob", [second, bytes(16)])
        assert len(await both.right.fetch("alice", "carol", [second, first])) == 2
        assert len(await both.right.fetch("alice", "bob", [second])) == 1

    on_both(tmp_path, scenario)


def test_keys_of_any_size_are_cut_and_joined_without_reuse(tmp_path: Path) -> None:
    async def scenario(both: Ends) -> None:
        for number in (1, 2, 3):
            await both.fill(number, 1001)
        seen = b""
        for number, size in enumerate((1, 700, 32, 511, 100), start=1):
            (issued,) = await both.left.issue(both.order(number, size=size))
            assert await both.right.accept(LEFT, [issued.announcement]) == [None]
            (fetched,) = await both.right.fetch("alice", "bob", [issued.announcement.key])
            assert fetched.material == issued.material
            seen += issued.material
        halves = b"".join(material(block_id(number), 1001)[:500] for number in (1, 2, 3))
        assert seen == halves[: len(seen)]
        with pytest.raises(KeysExhausted, match="156 unused"):
            await both.left.issue(both.order(9, size=157))
        (other,) = await both.right.issue(both.order(10)._replace(link=LEFT))
        assert other.material == material(block_id(1), 1001)[500:532]

    on_both(tmp_path, scenario)


def test_a_spent_block_leaves_nothing_on_the_disk_and_cannot_come_again(tmp_path: Path) -> None:
    async def scenario(both: Ends) -> None:
        await both.fill(1, 2048)
        (ours,) = await both.left.issue(both.order(1, size=1024))
        rows = sqlite3.connect(tmp_path / "left" / "keystore.sqlite")
        assert rows.execute("SELECT count(*) FROM chunks").fetchone() == (2,)
        (theirs,) = await both.right.issue(both.order(2, size=1024)._replace(link=LEFT))
        assert await both.left.accept(RIGHT, [theirs.announcement]) == [None]
        assert rows.execute("SELECT count(*) FROM chunks").fetchone() == (0,)
        assert rows.execute("SELECT state FROM blocks").fetchone() == ("spent",)
        rows.close()
        with pytest.raises(BlockRefused, match="spent"):
            await both.left.keep(RIGHT, block_id(1), material(block_id(1), 2048))
        await both.left.release(RIGHT, block_id(1))
        assert ours.material + theirs.material == material(block_id(1), 2048)

    on_both(tmp_path, scenario)


def test_a_block_is_not_used_before_it_is_released(tmp_path: Path) -> None:
    async def scenario(both: Ends) -> None:
        block, plain = block_id(1), material(block_id(1), 640)
        for end, link in ((both.left, RIGHT), (both.right, LEFT)):
            await end.keep(link, block, plain)
            await end.keep(link, block, plain)  # after a cut the exchange says it again
        with pytest.raises(KeysExhausted, match="0 unused"):
            await both.left.issue(both.order(1))
        assert await both.left.stock(RIGHT) == Stock(0, 0, 640, 0)
        await both.left.release(RIGHT, block)
        await both.left.release(RIGHT, block)
        (issued,) = await both.left.issue(both.order(1))
        # The release has not reached the right end; that the left end uses the block proves as much.
        assert await both.right.accept(LEFT, [issued.announcement]) == [None]
        assert await both.right.stock(LEFT) == Stock(320, 288, 0, 0)
        assert await both.left.stock(RIGHT) == Stock(288, 320, 0, 0)

    on_both(tmp_path, scenario)


def test_a_destroyed_block_is_gone_for_good(tmp_path: Path) -> None:
    async def scenario(both: Ends) -> None:
        await both.fill(1)
        await both.fill(2)
        (issued,) = await both.left.issue(both.order(1))
        await both.right.destroy(LEFT, block_id(1))
        await both.right.destroy(LEFT, block_id(1))
        with pytest.raises(BlockRefused, match="destroyed"):
            await both.right.keep(LEFT, block_id(1), material(block_id(1), 4096))
        with pytest.raises(BlockRefused, match="destroyed"):
            await both.right.release(LEFT, block_id(1))
        assert "no block" in await refusal(both, issued.announcement)
        (told,) = await both.left.refused(RIGHT, issued.announcement, [block_id(1)])
        assert await both.right.accept(LEFT, [told.announcement]) == [None]
        both.left.confirm([issued.announcement.key])
        (issued,) = await both.left.issue(both.order(2))
        assert issued.announcement.ranges[0].block == block_id(2)
        await both.left.destroy(RIGHT, block_id(7))
        with pytest.raises(BlockRefused, match="destroyed"):  # the exchange comes too late
            await both.left.keep(RIGHT, block_id(7), material(block_id(7), 64))
        assert await both.left.check() == [(RIGHT, issued.announcement)]

    on_both(tmp_path, scenario)


def test_what_contradicts_itself_is_refused(tmp_path: Path) -> None:
    async def scenario(both: Ends) -> None:
        await both.fill()
        first, second = (one.announcement for one in await both.left.issue(both.order(1, 2)))
        assert await both.right.accept(LEFT, [first]) == [None]
        replace = msgspec.structs.replace
        assert "used already" in await refusal(both, replace(first, key=bytes(15) + b"\x07"))
        assert "other bytes or names" in await refusal(both, replace(first, slaves=("eve",)))
        assert "do not have its" in await refusal(both, replace(second, size=31))
        assert "16 bytes" in await refusal(both, replace(second, key=b"1"))
        assert "no application" in await refusal(both, replace(second, slaves=()))
        assert "expired" in await refusal(both, replace(second, expires=BEGIN))
        theirs = second.ranges[0]._replace(start=2048, stop=2080)
        assert "not all of" in await refusal(both, replace(second, ranges=(theirs,)))
        assert await both.right.accept(LEFT, [second]) == [None]

    on_both(tmp_path, scenario)


def test_a_withdrawn_key_is_used_up_and_given_to_nobody(tmp_path: Path) -> None:
    async def scenario(both: Ends) -> None:
        await both.fill()
        first, second = (one.announcement for one in await both.left.issue(both.order(1, 2)))
        assert await both.right.accept(LEFT, [first]) == [None]
        told = [
            one.announcement
            for one in await both.left.withdraw([Unconfirmed(RIGHT, first), Unconfirmed(RIGHT, second)])
        ]
        assert await both.right.accept(LEFT, told) == [None, None]
        assert await both.right.accept(LEFT, [first, second]) == [None, None]  # a late repetition
        for key in (first.key, second.key):
            with pytest.raises(KeyNotFound):
                await both.right.fetch("alice", "bob", [key])
        both.left.confirm([first.key, second.key])
        assert await both.left.check() == []
        assert (await both.left.stock(RIGHT)).ours == (await both.right.stock(LEFT)).theirs == 2048 - 64
        found = {(row.what, row.whom): row.value for row in await both.left.counts()}
        assert found["undelivered", ""] == 64
        assert found["issued keys", "alice"] == 2

    on_both(tmp_path, scenario)


def test_blocks_and_keys_expire_and_are_forgotten(tmp_path: Path) -> None:
    async def scenario(both: Ends) -> None:
        await both.fill(expires=Millis(BEGIN + 2 * HOUR_MS))
        first, second = (one.announcement for one in await both.left.issue(both.order(1, 2)))
        await both.right.accept(LEFT, [first])
        both.clock.pass_ms(HOUR_MS)
        (told,) = (await both.left.sweep())[:1]
        assert told.announcement.withdrawn
        await both.right.sweep()
        with pytest.raises(KeyNotFound):
            await both.right.fetch("alice", "bob", [first.key])
        assert "expired" in await refusal(both, second)
        both.clock.pass_ms(HOUR_MS)
        with pytest.raises(KeysExhausted):
            await both.left.issue(both.order(3))
        both.clock.pass_ms(keeping.GRACE_MS)
        await both.left.sweep()
        with pytest.raises(BlockRefused, match="expired"):
            await both.left.keep(RIGHT, block_id(1), material(block_id(1), 4096))
        both.clock.pass_ms(keeping.REMEMBERED_MS)
        await both.left.sweep()
        await both.right.sweep()
        rows = sqlite3.connect(tmp_path / "right" / "keystore.sqlite")
        assert rows.execute("SELECT count(*) FROM waiting").fetchone() == (0,)
        assert rows.execute("SELECT count(*) FROM recipients").fetchone() == (0,)
        rows.close()

    on_both(tmp_path, scenario)


def test_nothing_that_is_stored_can_be_read_without_the_key(tmp_path: Path) -> None:
    async def scenario(both: Ends) -> None:
        await both.fill(1, 8192)
        made = await both.left.issue(both.order(*range(1, 60)))
        await both.right.accept(LEFT, [one.announcement for one in made])
        await both.right.fetch("alice", "bob", [one.announcement.key for one in made[:20]])
        look()

    def look() -> None:
        plain = material(block_id(1), 8192)
        for path in tmp_path.rglob("keystore.sqlite*"):
            raw = path.read_bytes()
            assert not [at for at in range(0, 8192 - 8, 40) if plain[at : at + 8] in raw]
            assert path.stat().st_mode & 0o077 == 0
        assert sealer.key_path_in(tmp_path / "left").stat().st_mode & 0o777 == 0o400

    on_both(tmp_path, scenario)


def test_a_damaged_chunk_sets_its_block_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(both: Ends) -> None:
        await both.fill(1)
        await both.fill(2)
        rows = sqlite3.connect(tmp_path / "left" / "keystore.sqlite")
        with rows:
            rows.execute("UPDATE chunks SET sealed = zeroblob(552) WHERE number = 1 AND chunk = 1")
        rows.close()
        (issued,) = await both.left.issue(both.order(1, size=600))
        assert issued.material == material(block_id(2), 4096)[:600]
        assert (await both.left.stock(RIGHT)).damaged == 4096
        assert block_id(1).hex() in caplog.text
        (theirs,) = await both.right.issue(both.order(2)._replace(link=LEFT))
        (answer,) = await both.left.accept(RIGHT, [theirs.announcement])
        assert "no block" in str(answer)

    on_both(tmp_path, scenario)


@pytest.mark.parametrize("how", ["another key", "another device", "damaged", "no store"])
def test_a_store_that_cannot_be_read_is_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    async def begin() -> None:
        keeper = open_keeper(tmp_path, LEFT, Clock())
        await keeper.keep(RIGHT, block_id(1), material(block_id(1), 100_000))
        await keeper.close()

    async def again() -> None:
        keeper = open_keeper(tmp_path, "ground-c" if how == "another device" else LEFT, Clock())
        assert await keeper.stock(RIGHT) == Stock(0, 0, 0, 0)
        await keeper.keep(RIGHT, block_id(1), material(block_id(1), 64))
        await keeper.close()

    asyncio.run(begin())
    path = store.path_in(tmp_path)
    if how == "another key":
        sealer.key_path_in(tmp_path).unlink()
        sealer.key_path_in(tmp_path).write_bytes(bytes(32))
    elif how == "damaged":
        raw = path.read_bytes()
        path.write_bytes(raw[:4096] + b"\xff" * 8192 + raw[12288:])
    elif how == "no store":
        path.write_bytes(b"no database at all" * 100)
    asyncio.run(again())
    assert len(list(tmp_path.glob("keystore-damaged-*.sqlite"))) == 1
    assert "set aside" in caplog.text


def test_a_full_store_takes_no_block_and_still_gives_keys(tmp_path: Path) -> None:
    async def scenario() -> None:
        clock = Clock()
        keeper = open_keeper(tmp_path, LEFT, clock, bounds=Bounds(most=1_000_000, leave=0))
        number = 0
        for number in range(8):
            await keeper.keep(RIGHT, block_id(number), material(block_id(number), 50_000))
            await keeper.release(RIGHT, block_id(number))
        with pytest.raises(KeyStoreFull, match="store_bytes"):
            await keeper.keep(RIGHT, block_id(100), material(block_id(100), 300_000))
        order = Ends(keeper, keeper, clock).order
        for number in range(40):
            await keeper.issue(order(*range(number * 10, number * 10 + 10), size=400))
        await keeper.close()

    asyncio.run(scenario())
    assert store.path_in(tmp_path).stat().st_size <= 1_000_000


def test_one_commit_serves_all_that_wait(tmp_path: Path) -> None:
    async def scenario(both: Ends) -> None:
        await both.fill(1, 65536)
        rows = sqlite3.connect(tmp_path / "left" / "keystore.sqlite")
        rows.close()
        made = await asyncio.gather(*(both.left.issue(both.order(number)) for number in range(1, 401)))
        keys = [one.material for (one,) in made]
        assert len(set(keys)) == 400
        assert b"".join(keys) == material(block_id(1), 65536)[: 400 * 32]

    on_both(tmp_path, scenario)


def test_a_full_disk_loses_no_confirmation(tmp_path: Path) -> None:
    async def scenario(both: Ends) -> None:
        await both.fill()
        (issued,) = await both.left.issue(both.order(1))
        batch = both.left._store.batch

        def full(calls: Sequence[store.Call]) -> list[object]:
            both.left._store.batch = batch  # type: ignore[method-assign]
            raise KeyStoreFull

        both.left._store.batch = full  # type: ignore[method-assign]
        both.left.confirm([issued.announcement.key])
        with pytest.raises(KeyStoreFull):
            await both.left.stock(RIGHT)
        assert await both.left.check() == []

    on_both(tmp_path, scenario)


def test_a_store_that_was_brought_back_from_a_copy_reuses_no_bits(tmp_path: Path) -> None:
    """The other end remembers what was used, refuses, and names the block."""
    clock, folder, old = Clock(), tmp_path / "left", tmp_path / "old"

    async def live(right: Keeper, key: int) -> list[object]:
        left = open_keeper(folder, LEFT, clock, seed=key)
        (issued,) = await left.issue(Ends(left, right, clock).order(key))
        answers = await right.accept(LEFT, [issued.announcement])
        await left.close()
        return [issued.material, *answers]

    async def scenario() -> None:
        right, left = open_keeper(tmp_path / "right", RIGHT, clock), open_keeper(folder, LEFT, clock)
        await Ends(left, right, clock).fill()
        await left.close()
        await asyncio.to_thread(shutil.copytree, folder, old)
        first, taken = await live(right, 1)
        await asyncio.to_thread(shutil.rmtree, folder)
        await asyncio.to_thread(shutil.copytree, old, folder)
        again, refused = await live(right, 2)
        assert again == first  # it knows no better
        assert taken is None
        assert isinstance(refused, AnnouncementRefused)
        assert refused.blocks == (block_id(1),)
        await right.close()

    asyncio.run(scenario())

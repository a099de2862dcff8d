import asyncio
import base64
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.integration.key_sites import Sites, sites
from tests.integration.key_stores import HOUR_MS, LEFT, RIGHT, block_id, material

from qfleet_agent.delivery import requests
from qfleet_agent.delivery.formats import KeyContainer
from qfleet_agent.delivery.refusals import NOT_FOUND, BadRequest, Unauthorized, Unavailable
from qfleet_agent.delivery.requests import Decrypt, Encrypt
from qfleet_agent.keystore.keeping import Stock


def at_sites(folder: Path, scenario: Callable[[Sites], Awaitable[None]], answer_s: float = 10.0) -> None:
    async def run() -> None:
        async with sites(folder, answer_s) as both:
            await scenario(both)

    asyncio.run(run())


def ask(number: int = 1, size: int = 256, additional: tuple[str, ...] = ()) -> Encrypt:
    return Encrypt("bob", additional, number, size, ())


def named(container: KeyContainer, master: str = "alice") -> Decrypt:
    return Decrypt(master, tuple(uuid.UUID(key.key_id).bytes for key in container.keys))


async def until(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await check():  # noqa: ASYNC110  # a state in a file, by another thread
            await asyncio.sleep(0)


def test_two_kmes_deliver_the_same_keys_once(tmp_path: Path) -> None:
    async def scenario(both: Sites) -> None:
        await both.ends.fill()
        given = await both.left.encrypt("alice", ask(3))
        assert len({key.key_id for key in given.keys}) == 3
        assert all(uuid.UUID(key.key_id).version == 4 for key in given.keys)
        raw = b"".join(base64.b64decode(key.key) for key in given.keys)
        assert raw == material(block_id(1), 4096)[:96]
        with pytest.raises(Unauthorized):
            await both.right.decrypt("carol", named(given))
        with pytest.raises(BadRequest, match=NOT_FOUND):
            await both.right.decrypt("bob", named(given, "anna"))
        assert await both.right.decrypt("bob", named(given)) == given
        with pytest.raises(BadRequest, match=NOT_FOUND):
            await both.right.decrypt("bob", named(given))
        with pytest.raises(Unauthorized):
            await both.right.decrypt("alice", named(given))
        assert await both.ends.left.check() == []

    at_sites(tmp_path, scenario)


def test_additional_slaves_get_the_key_at_either_end(tmp_path: Path) -> None:
    async def scenario(both: Sites) -> None:
        await both.ends.fill()
        given = await both.left.encrypt("alice", ask(additional=("carol", "anna")))
        assert await both.left.decrypt("anna", named(given)) == given
        assert await both.right.decrypt("carol", named(given)) == given
        assert await both.right.decrypt("bob", named(given)) == given
        for entity, caller in ((both.left, "anna"), (both.right, "carol")):
            with pytest.raises(BadRequest, match=NOT_FOUND):
                await entity.decrypt(caller, named(given))

    at_sites(tmp_path, scenario)


def test_a_status_has_what_can_be_delivered(tmp_path: Path) -> None:
    async def scenario(both: Sites) -> None:
        await both.ends.fill()
        asked = requests.Status("bob")
        before = await both.left.status("alice", asked)
        assert (before.source_kme_id, before.target_kme_id) == (LEFT, RIGHT)
        assert (before.master_sae_id, before.slave_sae_id) == ("alice", "bob")
        assert before.stored_key_count == 2048 // 32
        await both.left.encrypt("alice", ask(5))
        assert (await both.left.status("alice", asked)).stored_key_count == 2048 // 32 - 5
        with pytest.raises(Unauthorized):
            await both.left.status("bob", asked)
        with pytest.raises(Unauthorized):
            await both.left.status(None, asked)

    at_sites(tmp_path, scenario)


def test_keys_that_run_out_are_unavailable(tmp_path: Path) -> None:
    async def scenario(both: Sites) -> None:
        await both.ends.fill(1, 128)
        with pytest.raises(Unavailable, match="not enough keys"):
            await both.left.encrypt("alice", ask(3))
        assert len((await both.left.encrypt("alice", ask(2))).keys) == 2
        with pytest.raises(Unavailable):
            await both.left.encrypt("alice", ask())
        assert len((await both.right.encrypt("bob", ask()._replace(slave="alice"))).keys) == 1

    at_sites(tmp_path, scenario)


def test_a_silent_peer_costs_one_key_and_not_more(tmp_path: Path) -> None:
    async def scenario(both: Sites) -> None:
        await both.ends.fill()
        both.wire.cut = True
        with pytest.raises(Unavailable, match="in time"):
            await both.left.encrypt("alice", ask())
        for _ in range(20):
            with pytest.raises(Unavailable, match="does not answer"):
                await both.left.encrypt("alice", ask())
        assert (await both.ends.left.stock(RIGHT)).ours == 2048 - 32
        both.wire.cut = False

        async def settled() -> bool:
            return await both.ends.left.check() == []

        await until(settled)
        assert (await both.ends.right.stock(LEFT)).theirs == 2048 - 32
        given = await both.left.encrypt("alice", ask())
        assert await both.right.decrypt("bob", named(given)) == given
        counted = {row.what: row.value for row in await both.ends.left.counts() if not row.whom}
        assert counted["undelivered"] == 32

    at_sites(tmp_path, scenario, answer_s=0.05)


def test_a_lost_answer_leaves_no_key_that_one_end_has_alone(tmp_path: Path) -> None:
    async def scenario(both: Sites) -> None:
        await both.ends.fill()
        both.wire.lose_answers = True
        with pytest.raises(Unavailable):
            await both.left.encrypt("alice", ask())
        both.wire.lose_answers = False

        async def settled() -> bool:
            return await both.ends.left.check() == []

        await until(settled)
        left, right = await both.ends.left.stock(RIGHT), await both.ends.right.stock(LEFT)
        assert (left.ours, left.theirs) == (right.theirs, right.ours) == (2048 - 32, 2048)

    at_sites(tmp_path, scenario, answer_s=0.05)


def test_a_block_that_the_peer_lacks_is_given_up(tmp_path: Path) -> None:
    async def scenario(both: Sites) -> None:
        await both.ends.fill(1)
        await both.ends.fill(2)
        await both.ends.right.destroy(LEFT, block_id(1))
        with pytest.raises(Unavailable, match="no block"):
            await both.left.encrypt("alice", ask())
        given = await both.left.encrypt("alice", ask())
        assert await both.right.decrypt("bob", named(given)) == given
        assert await both.ends.left.stock(RIGHT) == Stock(2048 - 32, 2048, 0, 0)

    at_sites(tmp_path, scenario)


def test_a_peer_that_does_not_know_the_slave_takes_no_key(tmp_path: Path) -> None:
    async def scenario(both: Sites) -> None:
        await both.ends.fill()
        both.right._places = both.right._places._replace(here=frozenset({"carol"}))
        with pytest.raises(Unavailable, match="bob are here"):
            await both.left.encrypt("alice", ask())

        async def settled() -> bool:
            return await both.ends.left.check() == []

        await until(settled)
        assert (await both.ends.right.stock(LEFT)).theirs == 2048 - 32

    at_sites(tmp_path, scenario)


def test_many_requests_share_commits_and_announcements(tmp_path: Path) -> None:
    async def scenario(both: Sites) -> None:
        await both.ends.fill(1, 32_768)
        given = await asyncio.gather(*(both.left.encrypt("alice", ask()) for _ in range(300)))
        assert len({one.keys[0].key for one in given}) == 300
        assert len(both.wire.batches) <= 10
        assert sum(both.wire.batches) == 300
        fetched = await asyncio.gather(*(both.right.decrypt("bob", named(one)) for one in given))
        assert list(fetched) == list(given)

    at_sites(tmp_path, scenario)


def test_a_key_that_nobody_fetches_expires(tmp_path: Path) -> None:
    async def scenario(both: Sites) -> None:
        await both.ends.fill()
        given = await both.left.encrypt("alice", ask())
        both.ends.clock.pass_ms(HOUR_MS)
        with pytest.raises(BadRequest, match=NOT_FOUND):
            await both.right.decrypt("bob", named(given))
        await both.right.sweep()
        counted = {row.what: row.value for row in await both.ends.right.counts()}
        assert counted["unfetched"] == 32

    at_sites(tmp_path, scenario)

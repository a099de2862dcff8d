"""The power goes at any write: what was accepted is done or runnable, what was finished is merged once.

100 cuts here; ``QFLEET_POWER_CUTS=1000`` makes it 1,000. A failure prints its seed, which
``QFLEET_POWER_SEED`` sets. Half of the cuts kill the process and leave its files to the system, half
take from the disk all that was not synced, some of that torn in the middle of a page.
"""

import asyncio
import os
import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.integration.agent_controller import configure
from tests.integration.agent_power import Books, Device, Lost, build
from tests.integration.test_agent_daemon import enrol

CUTS = int(os.environ.get("QFLEET_POWER_CUTS", "100"))
SEED = int(os.environ.get("QFLEET_POWER_SEED", "0")) or time.time_ns() % 1_000_000
LONGEST_S = 0.7
PATIENCE_S = 60.0


@asynccontextmanager
async def fleet(broker: str, folder: Path, seed: int) -> AsyncIterator[tuple[Books, Device]]:
    chance = random.Random(seed)
    books = Books(broker, chance)
    async with books.running():
        config = configure(folder)
        await enrol(books, config)
        device = Device(config, build(folder), chance)
        await device.open()
        serving = asyncio.create_task(books.serve())
        try:
            yield books, device
        finally:
            while not serving.done():  # a cancellation may be swallowed, as in ``broker.publish``
                serving.cancel()
                await asyncio.wait([serving], timeout=0.1)
            await device.close()


async def cut_once(books: Books, device: Device, chance: random.Random, **how: object) -> None:
    """One life of the agent, from its start to its end at a random write or a random moment."""
    books.assign(chance.randrange(1, 4))
    at_write = chance.random() < 0.6
    await device.start(kill_at=chance.randrange(1, 60) if at_write else 0, **how)  # type: ignore[arg-type]
    ends = time.monotonic() + (LONGEST_S if at_write else chance.random() * LONGEST_S)
    while device.is_alive and time.monotonic() < ends:  # noqa: ASYNC110  # another process ends
        await asyncio.sleep(0.005)
    await device.kill()


def test_no_cut_loses_a_task_or_merges_a_result_twice(mosquitto: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        chance = random.Random(SEED)
        async with fleet(mosquitto, tmp_path, SEED) as (books, device):
            for _ in range(CUTS):
                await cut_once(books, device, chance)
                if chance.random() < 0.5:
                    device.cut()
                else:
                    device.settle()
                books.check(*device.contents())
            await device.start()
            async with asyncio.timeout(PATIENCE_S):
                await books.until(lambda: len(books.merged) == len(books.assigned))
            books.check_all_done()
            assert not list(device.state.glob("journal-damaged-*"))
            assert len(books.merged) >= CUTS

    try:
        asyncio.run(scenario())
    except BaseException:
        sys.stderr.write(f"QFLEET_POWER_SEED={SEED} QFLEET_POWER_CUTS={CUTS}\n")
        raise


@pytest.mark.parametrize("how", [{"lies": True}, {"synchronous": "NORMAL"}, {"synchronous": "OFF"}], ids=str)
def test_a_disk_that_lies_or_a_journal_that_does_not_wait_is_found(
    mosquitto: str, tmp_path: Path, how: dict[str, object]
) -> None:
    async def scenario() -> None:
        chance = random.Random(7)
        async with fleet(mosquitto, tmp_path, 7) as (books, device):
            for _ in range(40):
                await cut_once(books, device, chance, **how)
                device.cut()
                books.check(*device.contents())

    with pytest.raises(Lost):
        asyncio.run(scenario())

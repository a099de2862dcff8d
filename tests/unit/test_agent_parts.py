"""A daemon must not live on without one of its parts."""

import asyncio

import pytest

from qfleet_agent.daemon.daemon import stopped
from qfleet_agent.errors import PartEnded


@pytest.mark.parametrize("how", ["cancelled", "returned"])
def test_a_part_that_ends_by_itself_ends_the_daemon(how: str) -> None:
    async def scenario() -> None:
        async def part() -> None:
            await asyncio.sleep(0)
            if how == "cancelled":
                raise asyncio.CancelledError

        async with asyncio.TaskGroup() as group:
            lasting = [group.create_task(part(), name="link")]
            stopping = group.create_task(asyncio.Event().wait())
            await stopped(stopping, lasting)

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(scenario())
    (found,) = caught.value.exceptions
    assert isinstance(found, PartEnded)
    assert "link" in str(found)


def test_a_stop_is_no_failure() -> None:
    async def scenario() -> None:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            lasting = [group.create_task(asyncio.sleep(3600, None))]
            stopping = group.create_task(stop.wait())
            stop.set()
            await stopped(stopping, lasting)
            lasting[0].cancel()

    asyncio.run(scenario())

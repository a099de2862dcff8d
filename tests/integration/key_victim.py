"""Two desks in a process that is to be killed: it says a line for each message, session on session."""

import asyncio
import sys
from pathlib import Path

from tests.integration import key_desks


async def _run(folder: Path, name: str) -> None:
    async with key_desks.desks(folder) as both:
        whole = both.post.count

        def count() -> None:
            whole()
            sys.stdout.write("\n")
            sys.stdout.flush()

        both.post.count = count  # type: ignore[method-assign] # what is counted here is told
        for number in range(100):
            await both.order(key_desks.plan(f"{name}-{number}"))
            for end in (both.left, both.right):
                await end.ended(f"{name}-{number}")


if __name__ == "__main__":
    asyncio.run(_run(Path(sys.argv[1]), sys.argv[2]))

"""Desks whose process is killed: what both stores hold of a session is the same, or nothing."""

import asyncio
import subprocess
import sys
from pathlib import Path

from tests.integration import key_desks

LINES = 900
"""Messages until the end: a session has about six hundred, so that one is over and one is cut."""


def test_a_killed_process_leaves_no_key_at_one_end_only(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.integration.key_victim", str(tmp_path), "cut"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as victim:
        assert victim.stdout is not None
        heard = sum(1 for _, _line in zip(range(LINES), victim.stdout, strict=False))
        victim.kill()
    assert heard == LINES, "it ended by itself"

    async def check() -> int:
        made = 0
        async with key_desks.desks(tmp_path) as both:
            await both.quiet()
            for number in range(4):
                here, there = [
                    await key_desks.material(end, f"cut-{number}") for end in (both.left, both.right)
                ]
                assert here == there
                made += here is not None
        return made

    assert asyncio.run(check()) > 0

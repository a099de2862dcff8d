"""A device whose power can be cut: an agent, its disk as it would be after the cut, and a controller.

The controller keeps books: what the agent has promised, what it has delivered and what it was told
to forget. After every cut the journal must hold all that the books say it must.
"""

import asyncio
import contextlib
import random
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.integration.agent_controller import FakeController, echo

from qfleet_agent.journal import journal
from qfleet_agent.journal.store import Contents, Kept, Store
from qfleet_agent.machine.events import Key
from qfleet_wire import codec, payloads
from qfleet_wire.errors import NoSession
from qfleet_wire.workload import EchoResult, ProbeEcho

SECTOR = 512
SOURCE = Path(__file__).with_name("power_cut.c")
ZYGOTE = Path(__file__).with_name("agent_zygote.py")
ACKNOWLEDGED = 0.7
"""Share of the results that are acknowledged when they come; the others wait for their duplicate."""


class Lost(AssertionError):
    """The journal does not hold what it must."""


class Books(FakeController):
    """A controller that assigns, merges and acknowledges, and knows what it was promised."""

    def __init__(self, broker: str, chance: random.Random) -> None:
        super().__init__(broker)
        self.chance = chance
        self.assigned: dict[Key, payloads.Assign] = {}
        self.accepted: set[Key] = set()
        self.merged: dict[Key, bytes] = {}
        self.duplicates = 0
        self.differing: list[Key] = []
        self.acknowledged: set[Key] = set()
        self._held: set[Key] = set()
        self._due: set[Key] = set()
        self._wanted = asyncio.Event()

    def assign(self, count: int) -> None:
        """Have new tasks, to be sent as soon as there is a session."""
        for _ in range(count):
            number = len(self.assigned)
            task = echo(f"t{number}", f"data {number} ".encode() * self.chance.randrange(1, 300))
            self.assigned[task.task, 1] = task
        self._wanted.set()

    async def serve(self) -> None:
        """Send what is wanted, until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            self._due, due = set(), self._due
            new = [task for key, task in self.assigned.items() if key not in self._held | self.merged.keys()]
            self._held |= self.assigned.keys()
            if due:
                self.acknowledged |= due
                await self.acknowledge(*due)
            if new and self.end.sessions:
                # Between two sessions nothing can be sent; the next inventory asks for it again.
                with contextlib.suppress(NoSession):
                    await self.send(*new)

    def _hear(self, items: Iterable[payloads.Up]) -> None:
        for item in items:
            super()._hear([item])
            match item:
                case payloads.Accepted(task, attempt):
                    self.accepted.add((task, attempt))
                case payloads.Inventory(unfinished, finished):
                    self._held = {*unfinished, *finished}
                    self._wanted.set()
                case payloads.Results(results):
                    for raw in results:
                        self._merge(bytes(raw))

    def _merge(self, raw: bytes) -> None:
        result = codec.decode(raw, payloads.TaskResult)
        key = (result.task, result.attempt)
        if key in self.merged:
            self.duplicates += 1
            if self.merged[key] != raw:
                self.differing.append(key)
        self.merged.setdefault(key, raw)
        if key in self._due or self.chance.random() < ACKNOWLEDGED:
            self._due.add(key)
            self._wanted.set()

    def check(self, contents: Contents, outbox: dict[Key, Kept]) -> None:
        """Compare with what the journal holds. Raises ``Lost``."""
        if self.differing:
            raise Lost(f"finished and delivered, then run again: {self.differing[:5]}")
        held = {one.key for one in contents.tasks} | outbox.keys() | self.acknowledged
        if self.accepted - held:
            raise Lost(f"accepted, and gone: {sorted(self.accepted - held)[:5]}")
        for key in self.merged.keys() - self.acknowledged:
            if key not in outbox or outbox[key].result != self.merged[key]:
                raise Lost(f"delivered, not acknowledged, and gone: {key}")

    def check_all_done(self) -> None:
        """Every task has one result, and the right one."""
        assert self.merged.keys() == self.assigned.keys()
        for key, raw in self.merged.items():
            result = codec.decode(raw, payloads.TaskResult)
            assert result.outcome == "succeeded", result.error
            assert codec.decode(result.body, EchoResult).data == _data(self.assigned[key])


class Device:
    """An agent's state directory with the disk under it, and the agent."""

    zygote = ZYGOTE

    def __init__(self, config: Path, library: Path, chance: random.Random) -> None:
        self.config = config
        self.state = config.parent / "state"
        self.file = journal.path_in(self.state)
        self._library = library
        self._chance = chance
        self._durable = config.parent / "durable"
        self._control = config.parent / "power_cut"
        self._zygote: asyncio.subprocess.Process | None = None
        self._process = ""

    async def open(self) -> None:
        self._zygote = await asyncio.create_subprocess_exec(
            sys.executable,
            str(self.zygote),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={
                "LD_PRELOAD": str(self._library),
                "POWER_CUT_FILE": str(self._control),
                "PATH": "/usr/bin",
                "PYTHONPATH": str(Path(__file__).parents[2]),
            },
        )
        self._sync()

    async def close(self) -> None:
        assert self._zygote is not None
        assert self._zygote.stdin is not None
        if self._process:
            await self.kill()
        self._zygote.stdin.close()
        await self._zygote.wait()

    async def start(self, *, kill_at: int = 0, lies: bool = False, synchronous: str = "FULL") -> None:
        """Start the agent; it kills itself at its ``kill_at``-th step on the journal."""
        await self.begin(
            f"{self.config} {self.config.parent / 'agent.log'} {synchronous}", kill_at=kill_at, lies=lies
        )

    async def begin(self, how: str, *, kill_at: int, lies: bool) -> None:
        """Have the zygote start a process."""
        self._control.write_text(
            f"JOURNAL={self.file}\nDURABLE={self._durable}\nKILL_AT={kill_at}\nLIES={int(lies)}\n"
        )
        self._process = await self._say(f"start {how}")

    @property
    def is_alive(self) -> bool:
        """Whether the agent still runs; its zygote has not waited for it."""
        status = Path(f"/proc/{self._process}/stat").read_text(encoding="ascii")
        return status.rpartition(")")[2].split()[0] != "Z"

    async def kill(self) -> int:
        """``kill -9``; return how the process ended."""
        ended, self._process = await self._say(f"kill {self._process}"), ""
        return int(ended)

    def cut(self) -> None:
        """Leave on the disk what was synced, and of each other sector the old or the new."""
        torn = self._chance.random() < 0.5
        for ours, theirs in self._files():
            synced = theirs.read_bytes() if theirs.exists() else None
            if torn and ours.exists() and synced is not None:
                synced = self._torn(synced, ours.read_bytes())
            ours.unlink(missing_ok=True)
            if synced is not None:
                ours.write_bytes(synced)
        self.file.with_name(self.file.name + "-shm").unlink(missing_ok=True)
        self._sync()

    def settle(self) -> None:
        """Let the system write everything, as it does when only a process was killed."""
        self._sync()

    def contents(self) -> tuple[Contents, dict[Key, Kept]]:
        """What the journal would hold, read from a copy."""
        folder = self.config.parent / "looked-at"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for ours, _ in self._files():
            if ours.exists():
                shutil.copy(ours, folder / ours.name)
        store = Store(journal.path_in(folder))
        try:
            contents = store.load()
            return contents, store.results(one.key for one in contents.results)
        finally:
            store.close()

    def _torn(self, old: bytes, new: bytes) -> bytes:
        kept = bytearray(old)
        # The file may have grown or not; what grew without being written is zeros.
        length = max(len(old), self._chance.choice((len(old), len(new))))
        kept.extend(bytes(length - len(kept)))
        for start in range(0, min(len(new), length), SECTOR):
            end = min(start + SECTOR, len(new), length)
            if kept[start:end] != new[start:end] and self._chance.random() < 0.5:
                kept[start:end] = new[start:end]
        return bytes(kept)

    def _sync(self) -> None:
        shutil.rmtree(self._durable, ignore_errors=True)
        self._durable.mkdir()
        for ours, theirs in self._files():
            if ours.exists():
                shutil.copy(ours, theirs)

    def _files(self) -> list[tuple[Path, Path]]:
        ours = self.file
        log = ours.with_name(ours.name + "-wal")
        return [(ours, self._durable / "journal"), (log, self._durable / "wal")]

    async def _say(self, line: str) -> str:
        assert self._zygote is not None
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.write(f"{line}\n".encode())
        return (await self._zygote.stdout.readline()).decode().strip()


def build(folder: Path) -> Path:
    """Compile the library that follows the writes; skips where that is not possible."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("the writes are followed by a C library: this needs Linux and a C compiler (gcc)")
    library = folder / "power_cut.so"
    done = subprocess.run(
        [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl", "-lpthread"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"the C library does not compile here: {done.stderr[-300:]}")
    return library


def _data(assign: payloads.Assign) -> bytes:
    return codec.decode(assign.work, ProbeEcho).data

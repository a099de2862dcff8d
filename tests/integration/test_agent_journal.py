"""The journal: what it has acknowledged survives a kill and a power cut; a full disk harms nothing."""

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qfleet_agent import facts
from qfleet_agent.errors import JournalUnusable, NotEnrolled
from qfleet_agent.journal import journal, vault
from qfleet_agent.journal.journal import Journal
from qfleet_agent.journal.layout import VERSION, Name
from qfleet_agent.journal.reserve import PIECE, STEP
from qfleet_agent.journal.store import Store
from qfleet_agent.machine import effects, events
from qfleet_agent.machine.events import Key
from qfleet_wire.channel import renewal
from qfleet_wire.channel.renewal import Identities
from qfleet_wire.names import TaskId

MIB = 1024 * 1024


def key(number: int) -> Key:
    return TaskId(f"t{number}"), 1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return journal.prepare(tmp_path)


def test_the_schema_is_made_by_another_process_and_only_once(path: Path) -> None:
    store = Store(path)
    store.write([effects.SaveTask(1, key(1), b"assign")])
    store.close()
    assert journal.prepare(path.parent) == path
    store = Store(path)
    assert store.load().tasks == [events.StoredTask(key(1), b"assign")]
    store.close()
    assert path.stat().st_mode & 0o077 == 0


def test_a_journal_of_another_version_is_refused(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA user_version = {VERSION + 1}")
    database.close()
    with pytest.raises(JournalUnusable, match=f"version {VERSION + 1}"):
        Store(path)


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalUnusable):
        Store(tmp_path / "journal.sqlite")
    (tmp_path / "journal.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(JournalUnusable, match="cannot be prepared"):
        journal.prepare(tmp_path)


def test_results_replace_tasks_and_artefacts_go_with_their_last_result(path: Path) -> None:
    store = Store(path)
    big = os.urandom(3000)
    store.write([effects.SaveTask(1, key(n), b"a") for n in range(3)])
    store.write(
        [
            effects.SaveResult(2, key(0), b"small"),
            effects.SaveResult(2, key(1), b"named", digest=b"d", artefact=big),
            effects.SaveResult(2, key(2), b"same", digest=b"d", artefact=big),
            effects.SaveEpoch(2, 7),
        ]
    )
    contents = store.load()
    assert (contents.epoch, contents.tasks) == (7, [])
    assert [one.key for one in contents.results] == [key(0), key(1), key(2)]
    assert contents.results[1].size > 3000
    assert store.artefact(b"d", 1000, 500) == big[1000:1500]
    store.write([effects.DropResults(3, (key(0), key(1)))])
    assert store.artefact(b"d", 0, 5000) == big
    store.write([effects.DropResults(3, (key(2),))])
    assert store.artefact(b"d", 0, 5000) == b""
    assert store.load().results == []
    store.close()


def test_a_transaction_is_whole_or_nothing(path: Path) -> None:
    store = Store(path, most_bytes=300_000)
    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.write([effects.SaveTask(1, key(1), b"small"), effects.SaveTask(1, key(2), os.urandom(400_000))])
    assert store.load().tasks == []
    store.write([effects.SaveTask(1, key(3), b"small")])
    assert [one.key for one in store.load().tasks] == [key(3)]
    store.close()


WRITER = """
import sys
from pathlib import Path
from qfleet_agent.journal.store import Store
from qfleet_agent.machine import effects
store = Store(Path(sys.argv[1]))
for number in range(10_000):
    store.write([effects.SaveTask(1, (f"t{number}", 1), b"x" * 300)])
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


def test_killed_between_any_two_instructions_it_holds_all_that_it_acknowledged(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(50)]
        process.send_signal(signal.SIGKILL)
        said += process.stdout.readlines()
    store = Store(path)
    held = {one.key for one in store.load().tasks}
    store.close()
    assert {key(int(line)) for line in said if line.endswith(b"\n")} <= held


def test_a_power_cut_takes_nothing_that_was_acknowledged(path: Path, tmp_path: Path) -> None:
    """The log is cut where it ended at the last acknowledgement, as if nothing later reached the disk."""
    store = Store(path)
    log = path.with_name(path.name + "-wal")
    store.write([effects.SaveTask(1, key(1), b"first")])
    synced = log.stat().st_size
    store.write([effects.SaveTask(1, key(2), b"second")])
    after = tmp_path / "after" / path.name
    after.parent.mkdir()
    shutil.copy(path, after)
    for length, expected in ((synced, [key(1)]), (log.stat().st_size - 1, [key(1)])):
        after.with_name(after.name + "-wal").write_bytes(log.read_bytes()[:length])
        after.with_name(after.name + "-shm").unlink(missing_ok=True)
        recovered = Store(after)
        assert [one.key for one in recovered.load().tasks] == expected
        recovered.close()
        shutil.copy(path, after)
    store.close()


def failing(monkeypatch: pytest.MonkeyPatch, times: int, seen: Callable[[], None]) -> None:
    """Let the next writes find a full disk; ``seen`` is called before each try."""
    real, failures = Store.write, times

    def write(store: Store, writes: list[effects.Write]) -> None:
        nonlocal failures
        seen()
        if failures:
            failures -= 1
            raise sqlite3.OperationalError("database or disk is full")
        real(store, writes)

    monkeypatch.setattr(Store, "write", write)


def test_the_reserve_is_given_up_in_pieces_and_what_is_left_over_is_taken_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        held = Journal(path, most_bytes=10 * MIB, reserve_bytes=MIB)
        await held.open()
        reserve, sizes = journal.reserve_in(path.parent), list[int]()
        assert reserve.stat().st_size == MIB
        failing(monkeypatch, 2, lambda: sizes.append(reserve.stat().st_size))
        await held.write([effects.SaveTask(1, key(1), b"a")])
        assert sizes == [MIB, MIB - PIECE, MIB - 3 * PIECE]
        assert reserve.stat().st_size == MIB
        failing(monkeypatch, 100, lambda: sizes.append(reserve.stat().st_size))
        with pytest.raises(sqlite3.OperationalError):
            await held.write([effects.SaveTask(1, key(2), b"a")])
        assert sizes[-1] == 0
        # The caller tries again later: until then the room is not for others.
        assert reserve.stat().st_size == MIB
        await held.close()

    asyncio.run(scenario())


def test_room_is_held_before_it_is_promised_and_given_back_when_far_too_much(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(facts, "disk_free", lambda _folder: 100 * MIB)
        held = Journal(path, most_bytes=100 * MIB, reserve_bytes=MIB, leave_bytes=90 * MIB)
        await held.open()
        reserve = journal.reserve_in(path.parent)
        assert (held.covered, await held.cover(1)) == (0, STEP // 2)
        assert await held.cover(MIB) == STEP // 2
        # No more than leaves others their part, though more was wanted.
        assert await held.cover(50 * MIB) == (STEP + 10 * MIB) // 2
        assert reserve.stat().st_blocks * 512 == reserve.stat().st_size == MIB + STEP + 10 * MIB
        # What was promised already comes before what others may have left.
        await held.hold(20 * MIB)
        assert held.covered == 20 * MIB
        await held.hold(19 * MIB)
        assert held.covered == 20 * MIB
        await held.close()
        again = Journal(path, most_bytes=100 * MIB, reserve_bytes=MIB, leave_bytes=90 * MIB)
        await again.open()
        assert again.covered == 20 * MIB
        await again.hold(MIB)
        assert again.covered == MIB
        assert await again.cover(2 * MIB) == STEP // 2
        await again.hold(MIB)
        assert again.covered == STEP // 2
        monkeypatch.setattr(facts, "disk_free", lambda _folder: 90 * MIB)
        await again.hold(MIB)
        assert again.covered == MIB
        monkeypatch.setattr(facts, "disk_free", lambda _folder: 100 * MIB)
        reserve.unlink()
        await again.hold(0)
        assert (again.covered, reserve.stat().st_size) == (0, MIB)
        await again.close()

    asyncio.run(scenario())


def test_single_values_are_replaced_and_deleted_together(path: Path) -> None:
    async def scenario() -> None:
        held = Journal(path, most_bytes=10 * MIB, reserve_bytes=MIB)
        await held.open()
        await held.put({Name.STANDING: b"1", Name.RESUMPTION: b"2"})
        await held.put({Name.STANDING: b"3", Name.RESUMPTION: None})
        assert (await held.get(Name.STANDING), await held.get(Name.RESUMPTION)) == (b"3", None)
        await held.close()

    asyncio.run(scenario())


def test_the_keys_are_replaced_whole_and_only_their_owner_can_read_them(tmp_path: Path) -> None:
    with pytest.raises(NotEnrolled):
        vault.load(tmp_path)
    first, second = (Identities(renewal.new_identity(os.urandom)) for _ in range(2))
    vault.save(tmp_path, first)
    vault.save(tmp_path, second)
    assert vault.load(tmp_path) == second
    assert vault.path_in(tmp_path).stat().st_mode & 0o777 == 0o400
    assert second.current.seed.hex() not in repr(second)
    assert [path.name for path in tmp_path.iterdir()] == ["identity.key"]

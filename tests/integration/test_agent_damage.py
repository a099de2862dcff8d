"""A damaged journal is set aside, told of, and never keeps the agent from its work."""

import asyncio
import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.integration.agent_controller import PATIENCE_S, FakeController, configure, echo
from tests.integration.test_agent_daemon import agent, call, enrol, stop

from qfleet_agent.journal import aside, damage, journal, keepsake, recovery
from qfleet_agent.journal.layout import VERSION, Name
from qfleet_agent.journal.membership import Membership
from qfleet_agent.journal.store import Store
from qfleet_agent.machine import effects
from qfleet_wire import codec, payloads
from qfleet_wire.channel.initiator import Standing
from qfleet_wire.names import DeviceName, FleetName, Millis, RegionName, TaskId

NOW = Millis(1_800_000_000_000)
PAGE = 4096
ROWS = 200
KEPT = keepsake.Keepsake(
    Membership(
        FleetName("f"), RegionName("r"), DeviceName("d"), "mqtt://b", "login", "password", b"record", b"hash"
    ),
    Standing(NOW, b"revocations", 7),
)


def log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def result(number: int) -> payloads.TaskResult:
    return payloads.TaskResult(TaskId(f"r{number}"), 1, "failed", error="x" * 200)


def fill(path: Path, rows: int = ROWS) -> None:
    """Many tasks and results, over many pages, and the membership."""
    store = Store(path)
    store.put({Name.MEMBERSHIP: codec.encode(KEPT.membership), Name.STANDING: codec.encode(KEPT.standing)})
    for number in range(rows):
        assign = codec.encode(echo(f"t{number}", b"x" * 200))
        store.write(
            [
                effects.SaveTask(1, (TaskId(f"t{number}"), 1), assign),
                effects.SaveResult(1, (TaskId(f"r{number}"), 1), codec.encode(result(number))),
            ]
        )
    store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal in use, and the second copy of the membership beside it."""
    made = recovery.prepare(tmp_path, NOW)
    fill(made)
    keepsake.save(tmp_path, KEPT)
    return made


def header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\xff" * 100)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def garbage(path: Path) -> None:
    path.write_bytes(os.urandom(path.stat().st_size))


def half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 // PAGE * PAGE)


def page(path: Path) -> None:
    """Overwrite one page in the middle, where rows are."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // PAGE // 2 * PAGE)
        file.write(b"\xa5" * PAGE)


def newer(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA user_version = {VERSION + 1}")
    database.close()


def no_table(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("DROP TABLE outbox")
    database.close()


def gone(path: Path) -> None:
    path.unlink()


DAMAGES: dict[Callable[[Path], None], int] = {
    header: 0,
    empty: 0,
    garbage: 0,
    half: 1,
    page: 300,
    newer: 400,
    no_table: 200,
    gone: 0,
}
"""Each with the least number of tasks and results, of 400, that must be saved."""


@pytest.mark.parametrize("hurt", DAMAGES, ids=lambda hurt: hurt.__name__)
def test_what_still_reads_is_saved_and_the_device_stays_a_member(
    path: Path, hurt: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    hurt(path)
    before = path.read_bytes() if path.exists() else None
    assert recovery.prepare(path.parent, NOW) == path
    store = Store(path)
    contents = store.load()
    told = codec.decode(store.get(Name.SET_ASIDE) or b"", aside.SetAside)
    assert store.get(Name.MEMBERSHIP) == codec.encode(KEPT.membership)
    assert codec.decode(store.get(Name.STANDING) or b"", Standing) == KEPT.standing
    assert len(contents.tasks) + len(contents.results) >= DAMAGES[hurt]
    for one in contents.tasks:
        assert codec.decode(one.assign, payloads.Assign).task == one.key[0]
    for key, kept in store.results([one.key for one in contents.results]).items():
        assert codec.decode(kept.result, payloads.TaskResult) == result(int(key[0][1:]))
    store.close()
    assert told.at == NOW
    assert told.reason in caplog.text
    if before is not None:
        lies = path.with_name(told.file)
        assert lies.exists()
        assert hurt in {newer, no_table, half} or lies.stat().st_size == len(before)
    assert damage.find(path) is None


def test_a_sound_journal_is_left_alone_whatever_its_log_holds(path: Path) -> None:
    store = Store(path)
    store.write([effects.SaveTask(1, (TaskId("last"), 1), codec.encode(echo("last")))])
    log = log_of(path).read_bytes()
    for left in (log, log[:-1], log[:-PAGE], log[:40], log[:32], log[:7], b"", bytes(32), bytes(9000)):
        folder = path.parent / f"cut-{len(left)}-{sum(left[:100])}"
        folder.mkdir()
        copy = journal.path_in(folder)
        copy.write_bytes(path.read_bytes())
        log_of(copy).write_bytes(left)
        recovery.prepare(folder, NOW)
        assert aside.count(folder) == 0, len(left)
    store.close()


def test_a_log_of_garbage_is_not_silently_ignored(path: Path) -> None:
    store = Store(path)
    store.write([effects.SaveTask(1, (TaskId("last"), 1), codec.encode(echo("last")))])
    folder = path.parent / "hurt"
    folder.mkdir()
    copy = journal.path_in(folder)
    copy.write_bytes(path.read_bytes())
    log_of(copy).write_bytes(os.urandom(9000))
    store.close()
    recovery.prepare(folder, NOW)
    recovered = Store(copy)
    told = codec.decode(recovered.get(Name.SET_ASIDE) or b"", aside.SetAside)
    assert "write-ahead log" in told.reason
    assert len(recovered.load().results) == ROWS
    assert log_of(folder / told.file).stat().st_size == 9000
    recovered.close()


def test_a_journal_of_an_older_agent_gets_what_it_lacks_and_can_go_back(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("DROP TABLE telemetry")
    database.close()
    recovery.prepare(path.parent, NOW)
    store = Store(path)
    contents = store.load()
    assert (len(contents.tasks), len(contents.results)) == (ROWS, ROWS)
    assert store.telemetry(0, 1) == []
    store.close()
    assert aside.count(path.parent) == 0
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA user_version").fetchone() == (1,)
    database.close()


def test_a_full_disk_or_a_lock_is_no_damage(path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert damage.find(path) is None
    other.close()
    for code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
        error = sqlite3.OperationalError("no")
        error.sqlite_errorcode = code
        assert not damage.is_damage(error)


def test_no_more_than_a_few_lie_aside_and_the_newest_stays(path: Path) -> None:
    names = []
    for number in range(aside.KEPT + 3):
        header(path)
        recovery.prepare(path.parent, Millis(NOW + 1000 * number))
        store = Store(path)
        names.append(codec.decode(store.get(Name.SET_ASIDE) or b"", aside.SetAside).file)
        store.close()
    assert aside.count(path.parent) == aside.KEPT
    assert {one.name for one in path.parent.glob("journal-damaged-*.sqlite")} == set(names[-aside.KEPT :])


def test_the_second_copy_is_secret_and_written_only_when_something_lasting_changes(path: Path) -> None:
    copy = keepsake.path_in(path.parent)
    assert copy.stat().st_mode & 0o777 == 0o600
    written = copy.stat().st_ino
    later = Standing(Millis(NOW + 5), b"revocations", 7)
    keepsake.save(path.parent, keepsake.Keepsake(KEPT.membership, later))
    assert copy.stat().st_ino == written
    newer = keepsake.Keepsake(KEPT.membership, Standing(NOW, b"more", 7))
    keepsake.save(path.parent, newer)
    assert keepsake.load(path.parent) == newer
    copy.write_bytes(b"damaged")
    assert keepsake.load(path.parent) is None


# ── the whole agent ─────────────────────────────────────────────────────────────────────────


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return configure(tmp_path)


def test_an_agent_whose_journal_is_damaged_reconnects_and_tells(mosquitto: str, config: Path) -> None:
    async def scenario() -> None:
        state = config.parent / "state"
        async with FakeController(mosquitto).running() as controller:
            await enrol(controller, config)
            async with agent(config) as process:
                await controller.item(payloads.Heartbeat)
                assert await stop(process) == 0
            header(journal.path_in(state))
            seen = len(controller.items)
            async with agent(config) as process:
                beat = await controller.item(payloads.Heartbeat, after=seen)
                assert beat.journal_set_aside is not None
                assert "not a database" in beat.journal_damage
                await controller.send(echo("t"))
                assert (await controller.result("t")).outcome == "succeeded"
                _, out, _ = await call("status", "--config", config, "--json")
                said = json.loads(out)["last"]["damaged_journal"]
                assert (said["kept"], (state / said["file"]).exists()) == (1, True)
                _, out, _ = await call("status", "--config", config)
                assert said["file"] in out
                assert await stop(process) == 0
            assert controller.handshakes == ["full", "full"]

    asyncio.run(scenario())


def test_damage_that_shows_while_the_agent_runs_costs_it_no_restart(mosquitto: str, config: Path) -> None:
    async def scenario() -> None:
        path = journal.path_in(config.parent / "state")
        async with FakeController(mosquitto).running() as controller:
            await enrol(controller, config)
            async with agent(config) as process:
                await controller.item(payloads.Heartbeat)
                # Folded in, so that the pages are read from the file and not from the log.
                other = sqlite3.connect(path)
                other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                with path.open("r+b") as file:
                    for number in range(1, path.stat().st_size // PAGE):
                        file.seek(number * PAGE)
                        file.write(b"\xa5" * PAGE)
                # Another process has written: what is cached must not be believed any more.
                with path.open("r+b") as file:
                    file.seek(0)
                other.close()
                seen = len(controller.items)
                async with asyncio.timeout(PATIENCE_S):
                    number = 0
                    while not aside.count(path.parent):
                        number += 1
                        await controller.send(echo(f"t{number}", b"x" * 5000))
                        await asyncio.sleep(0.1)
                beat = await controller.item(payloads.Heartbeat, after=seen)
                await controller.until(
                    lambda: any(
                        isinstance(one, payloads.Heartbeat) and one.journal_set_aside is not None
                        for one in controller.items[seen:]
                    )
                )
                assert beat is not None
                await controller.send(echo("after"))
                assert (await controller.result("after")).outcome == "succeeded"
                assert await stop(process) == 0

    asyncio.run(scenario())

"""A controller's name is one process's: of two that bear it, one leads, and the other says why not."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.integration import site_of_controlplane as sites

from qfleet_controlplane import settings
from qfleet_controlplane.command import main
from qfleet_controlplane.daemon.attendance import Attendance, Premises
from qfleet_controlplane.daemon.daemon import Daemon
from qfleet_controlplane.errors import ConfigurationError
from qfleet_controlplane.store import attendance, leases
from qfleet_controlplane.store.attendance import Instance
from qfleet_controlplane.store.database import Database
from qfleet_controlplane.store.tables import control
from qfleet_wire.names import ControllerName, RegionName

ME = ControllerName("c2")
HERE, AGAIN, ELSEWHERE = Instance("a", "1"), Instance("a", "2"), Instance("b", "1")
TTL_MS = 60_000
SHORT = "\n[leases]\nttl_s = 1.2\nrenew_s = 0.3\nlook_s = 0.1\n"


def claim(database: Database, instance: Instance, *, restarted: bool = False, ttl_ms: int = TTL_MS) -> int:
    return database.writer.transact(
        lambda connection: attendance.claim(connection, ME, instance, ttl_ms, restarted=restarted)
    )


def lapse(database: Database) -> None:
    database.writer.transact(
        lambda connection: connection.execute(control.controllers.update().values(expires=1))
    )


def test_a_name_is_kept_until_it_lapses(database: Database) -> None:
    assert claim(database, HERE) == 0
    assert claim(database, HERE) == 0
    assert 0 < claim(database, ELSEWHERE, restarted=True) <= TTL_MS
    lapse(database)
    assert claim(database, ELSEWHERE) == 0
    assert claim(database, HERE) > 0, "who was away for long does not get it back"


def test_a_restart_on_the_same_state_directory_need_not_wait(database: Database) -> None:
    assert claim(database, HERE) == 0
    assert claim(database, AGAIN) > 0
    assert claim(database, AGAIN, restarted=True) == 0
    assert claim(database, HERE) > 0, "its former life is over"


def test_only_the_holder_of_a_name_leaves(database: Database) -> None:
    claim(database, HERE)
    database.writer.transact(lambda connection: attendance.leave(connection, ME, ELSEWHERE))
    assert ME in database.read_now(leases.attending)
    database.writer.transact(lambda connection: attendance.leave(connection, ME, HERE))
    assert ME not in database.read_now(leases.attending)
    assert claim(database, ELSEWHERE) == 0


def test_a_name_of_a_version_without_instances_is_waited_for(database: Database) -> None:
    database.writer.transact(lambda connection: leases.attend(connection, ME, TTL_MS))
    assert claim(database, HERE, restarted=True) > 0
    lapse(database)
    assert claim(database, HERE, restarted=True) == 0


def test_a_state_directory_takes_one_process_and_keeps_its_identity(tmp_path: Path) -> None:
    with Premises(tmp_path) as first:
        with pytest.raises(ConfigurationError, match="another control plane runs on"):
            Premises(tmp_path)
        before = first.instance
    with Premises(tmp_path) as second:
        assert second.instance.place == before.place
        assert second.instance.process != before.process


def test_a_killed_process_frees_its_state_directory(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        held = Premises(tmp_path)
        os.write(theirs, b"x")
        signal.pause()
        os._exit(held.instance is None)
    os.read(ours, 1)
    try:
        with pytest.raises(ConfigurationError, match="stop it first"):
            Premises(tmp_path)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ours)
        os.close(theirs)
    with Premises(tmp_path):
        pass


@pytest.fixture
def directory(tmp_path: Path, postgresql: str) -> Path:
    """A controller's files, over PostgreSQL and with short leases."""
    made = tmp_path / "first"
    arguments = ["init", "--directory", str(made), "--fleet", "home", "--listen", "127.0.0.1:0"]
    assert main([*arguments, "--database", postgresql]) == 0
    configuration = made / "controlplane.toml"
    configuration.write_text(configuration.read_text() + SHORT)
    return made


def test_a_second_controller_of_a_name_that_runs_refuses_and_the_first_goes_on(
    directory: Path, postgresql: str
) -> None:
    async def scenario() -> None:
        async with sites.running(directory) as site:
            database = Database(postgresql)
            before = database.read_now(leases.every)
            chosen = settings.read(directory / "controlplane.toml")
            other = Attendance(chosen, database, ELSEWHERE, chosen.leases.ttl_s)
            with pytest.raises(
                ConfigurationError, match="a controller named 'controller' is running elsewhere"
            ):
                await other.begin()
            after = database.read_now(leases.every)
            assert [(lease.controller, lease.epoch) for lease in after] == [
                (lease.controller, lease.epoch) for lease in before
            ]
            assert (await site.client.get("/readyz")).status_code == 200
            database.close()
            with pytest.raises(ConfigurationError, match="another control plane runs on"):
                await Daemon(chosen).start()

    sites.run(scenario)


def test_a_controller_whose_name_was_taken_leads_nothing_until_it_is_free(
    directory: Path, postgresql: str
) -> None:
    name = ControllerName("controller")

    def steal(connection: sa.Connection) -> None:
        connection.execute(control.controllers.update().values(expires=1))
        attendance.claim(connection, name, ELSEWHERE, 2_500)
        leases.acquire(connection, RegionName("main"), name, 2_500)

    async def scenario() -> None:
        async with sites.running(directory) as site:
            database = Database(postgresql)
            before = database.read_now(leases.every)[0].epoch
            database.writer.transact(steal)
            taken = database.read_now(leases.every)[0].epoch
            assert taken > before

            async def idle() -> bool:
                ready = await site.client.get("/readyz")
                return ready.status_code == 503 and "running elsewhere" in ready.text

            await site.until(idle, "it says that its name is another's")
            assert database.read_now(leases.every)[0].epoch == taken

            async def back() -> bool:
                return database.read_now(leases.every)[0].epoch > taken

            await site.until(back, "it leads again once the name has lapsed")
            await _ready(site)
            database.close()

    sites.run(scenario)


def test_what_is_left_of_a_name_elsewhere_is_waited_for(directory: Path, postgresql: str) -> None:
    async def scenario() -> None:
        database = Database(postgresql)
        database.writer.transact(
            lambda connection: attendance.claim(connection, ControllerName("controller"), ELSEWHERE, 1_000)
        )
        async with sites.running(directory) as site:
            await asyncio.wait_for(_ready(site), 15)
        database.close()

    sites.run(scenario)


def test_a_killed_controller_leads_again_without_waiting(directory: Path, postgresql: str) -> None:
    """What a ``kill -9`` leaves: the name and the lease of a former process, here for a minute."""
    name = ControllerName("controller")
    with Premises(directory) as premises:
        former = premises.instance

    def leave_behind(connection: sa.Connection) -> None:
        attendance.claim(connection, name, former, TTL_MS)
        leases.acquire(connection, RegionName("main"), name, TTL_MS)

    async def scenario() -> None:
        database = Database(postgresql)
        database.writer.transact(leave_behind)
        before = database.read_now(leases.every)[0].epoch
        async with sites.running(directory) as site:
            await _ready(site)
            assert database.read_now(leases.every)[0].epoch > before
        database.close()

    sites.run(scenario)


async def _ready(site: sites.Site) -> None:
    async def ready() -> bool:
        return (await site.client.get("/readyz")).status_code == 200

    await site.until(ready, "it is ready")

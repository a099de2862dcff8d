"""A database belongs to one fleet: who else may not use it is told so, and nothing is created or changed."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.integration import site_of_controlplane as sites
from tests.integration.postgres import Server

from qfleet_controlplane import settings
from qfleet_controlplane.command import main
from qfleet_controlplane.daemon.daemon import Daemon
from qfleet_controlplane.store import engines, migrate, ownership
from qfleet_controlplane.store.ownership import AnotherFleet
from qfleet_controlplane.store.tables.fleet import api_tokens, meta

CONFIG_ERROR = 78


class Console:
    """The command line, and what it said."""

    def __init__(self, directory: Path, capture: Callable[[], tuple[str, str]]) -> None:
        self.directory = directory
        self.passphrase = directory / "passphrase"
        self.passphrase.write_text("a passphrase of tests\n")
        self.passphrase.chmod(0o600)
        self.bundle = directory / "bundle"
        self._capture = capture

    def run(self, *arguments: object, code: int = 0) -> str:
        done = main([str(argument) for argument in arguments])
        said = "".join(self._capture())
        assert done == code, said
        assert "Traceback" not in said
        assert "INSERT" not in said
        return said

    def init(self, name: str, url: str, *more: object, fleet: str = "home", code: int = 0) -> str:
        """Make a controller's files in a directory of its name."""
        place = ("--directory", self.directory / name, "--fleet", fleet, "--controller", name)
        return self.run("init", *place, "--listen", "127.0.0.1:0", "--database", url, *more, code=code)

    def join(self, name: str, url: str, *more: object, fleet: str = "home", code: int = 0) -> str:
        """Make a further controller's files from the bundle of ``export``."""
        given = ("--authority", self.bundle, "--passphrase-file", self.passphrase)
        return self.init(name, url, *given, *more, fleet=fleet, code=code)

    def export(self, name: str) -> None:
        config = ("--config", self.config(name))
        self.run("authority", "export", self.bundle, "--passphrase-file", self.passphrase, *config)

    def config(self, name: str) -> Path:
        return self.directory / name / "controlplane.toml"

    def point(self, name: str, old: str, new: str) -> None:
        """Let a controller's configuration name another database."""
        text = self.config(name).read_text()
        assert old in text
        self.config(name).write_text(text.replace(old, new))

    def start(self, name: str) -> None:
        asyncio.run(Daemon(settings.read(self.config(name))).start())


@pytest.fixture
def console(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Console:
    return Console(tmp_path, capsys.readouterr)


def facts(url: str) -> set[str]:
    engine = engines.open_reader(url)
    with engine.begin() as connection:
        found = set(connection.scalars(sa.select(meta.c.key)))
    engine.dispose()
    return found


def forget_owner(url: str) -> None:
    """Make the database one of a version that recorded no owner."""
    engine = engines.open_writer(url)
    with engine.begin() as connection:
        connection.execute(meta.delete().where(meta.c.key.startswith("owner ")))
    engine.dispose()


def tokens(url: str) -> int:
    engine = engines.open_reader(url)
    with engine.begin() as connection:
        count = connection.scalar(sa.select(sa.func.count()).select_from(api_tokens))
    engine.dispose()
    return int(count or 0)


def test_a_new_fleet_is_refused_on_a_used_database_and_creates_nothing(
    console: Console, postgresql: str
) -> None:
    console.init("c1", postgresql)
    said = console.init("other", postgresql, fleet="away", code=CONFIG_ERROR)
    assert "already holds fleet 'home': join it with --authority, or use an empty one" in said
    assert not (console.directory / "other").exists()
    assert tokens(postgresql) == 1
    forget_owner(postgresql)
    assert "already holds a fleet" in console.init("other", postgresql, fleet="away", code=CONFIG_ERROR)


def test_init_is_repeated_once_the_database_answers(console: Console, postgresql: str) -> None:
    absent = postgresql.replace("?host=", "?host=/nowhere")
    said = console.init("c1", absent, code=CONFIG_ERROR)
    assert "cannot be reached" in said
    assert not (console.directory / "c1").exists()
    console.init("c1", postgresql)
    assert "owner fleet" in facts(postgresql)


def test_what_init_made_goes_when_its_last_step_fails(
    console: Console, postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError("the disk is full")

    kept = console.directory / "c1" / "kept"
    kept.parent.mkdir()
    kept.write_text("by its owner")
    with monkeypatch.context() as patched:
        patched.setattr(migrate, "upgrade", fails)
        with pytest.raises(OSError, match="full"):
            console.init("c1", postgresql)
    assert list(kept.parent.iterdir()) == [kept]
    console.init("c1", postgresql)
    assert kept.exists()


def test_a_further_controller_joins_its_own_fleets_database_only(
    console: Console, postgresql_server: Server, postgresql: str
) -> None:
    console.init("c1", postgresql)
    console.export("c1")
    empty = postgresql_server.create()
    said = console.join("c2", empty, code=CONFIG_ERROR)
    assert "holds no fleet: give the one that the first controller of fleet 'home' has" in said
    said = console.join("c2", postgresql.replace("?host=", "?host=/nowhere"), code=CONFIG_ERROR)
    assert "cannot be reached" in said
    console.init("x1", empty)
    assert "another fleet that is named 'home' too" in console.join("c2", empty, code=CONFIG_ERROR)
    assert not (console.directory / "c2").exists()
    console.join("c2", postgresql)
    postgresql_server.drop(empty)


def test_the_bundle_and_its_passphrase_are_asked_for_in_words(console: Console, postgresql: str) -> None:
    console.init("c1", postgresql)
    console.export("c1")
    said = console.init("c2", postgresql, "--authority", console.bundle, code=CONFIG_ERROR)
    assert "the bundle is sealed: give --passphrase-file" in said
    typo = console.directory / "pasphrase"
    said = console.join("c2", postgresql, "--passphrase-file", typo, code=CONFIG_ERROR)
    assert f"the passphrase file {typo} cannot be read" in said
    assert "restore it" not in said
    config = ("--config", console.config("c1"))
    again = console.directory / "again"
    said = console.run("authority", "export", again, "--passphrase-file", typo, *config, code=CONFIG_ERROR)
    assert f"the passphrase file {typo} cannot be read" in said
    said = console.join("c2", postgresql, "--authority", again, code=CONFIG_ERROR)
    assert f"the bundle {again} cannot be read" in said


@pytest.fixture
def strangers(console: Console, database_url: str, tmp_path: Path) -> str:
    """Two fleets of one name; ``c1``'s configuration names the other's database, whose URL this is."""
    own = f"sqlite:///{tmp_path / 'own.db'}"
    console.init("c1", own)
    console.init("x1", database_url)
    console.run("backup", tmp_path / "c1.backup", "--config", console.config("c1"))
    console.point("c1", own, database_url)
    return database_url


def test_another_fleets_database_is_refused_by_every_command(
    console: Console, strangers: str, tmp_path: Path
) -> None:
    before = facts(strangers)
    config = ("--config", console.config("c1"))
    words = "another fleet that is named 'home' too"
    assert words in console.run("check", *config, code=CONFIG_ERROR)
    assert words in console.run("backup", tmp_path / "file", *config, code=CONFIG_ERROR)
    assert words in console.run("restore", tmp_path / "c1.backup", "--force", *config, code=CONFIG_ERROR)
    with pytest.raises(AnotherFleet, match=words):
        console.start("c1")
    assert facts(strangers) == before
    assert tokens(strangers) == 1


def test_a_database_of_a_version_before_is_adopted_by_the_first_that_runs(
    console: Console, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'own.db'}"
    console.init("c1", url, "--region", "main")
    forget_owner(url)

    async def scenario() -> None:
        async with sites.running(tmp_path / "c1"):
            pass

    sites.run(scenario)
    assert {"owner fleet", "owner root"} <= facts(url)
    found = ownership.look(url)
    assert found.owner is not None
    with pytest.raises(AnotherFleet, match="belongs to fleet 'home', not 'away'"):
        ownership.refuse_other(url, found.owner._replace(fleet="away"))

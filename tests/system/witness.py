"""A database that notes who writes what, and when: what a paused controller did not do can be shown."""

from typing import NamedTuple

import psycopg

_WATCHED = ("jobs", "tasks", "shares", "results", "devices", "sessions", "audit", "regions")
_TRIGGER = """
CREATE TABLE witness (number bigserial PRIMARY KEY, at double precision, who text, what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO witness (at, who, what) VALUES
    (extract(epoch FROM clock_timestamp()), current_setting('application_name'), TG_TABLE_NAME);
  RETURN NULL;
END $$;
"""


class Written(NamedTuple):
    """A row that was changed: when, by which controller, in which table."""

    at: float
    who: str
    what: str


class Lease(NamedTuple):
    """A region's lease as it stands."""

    controller: str
    epoch: int
    left_s: float


class Witness:
    """Looks into the database from outside."""

    def __init__(self, url: str) -> None:
        self._url = url
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_TRIGGER)
            for table in _WATCHED:
                connection.execute(
                    f"CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE ON {table} "
                    "FOR EACH ROW EXECUTE FUNCTION note()".encode()
                )

    def now(self) -> float:
        """The database's time, in seconds."""
        with psycopg.connect(self._url) as connection:
            row = connection.execute("SELECT extract(epoch FROM clock_timestamp())").fetchone()
        assert row is not None
        return float(row[0])

    def written(self, who: str, since: float) -> list[Written]:
        """What a controller has changed since, in order."""
        query = "SELECT at, who, what FROM witness WHERE who = %s AND at > %s ORDER BY number"
        with psycopg.connect(self._url) as connection:
            return [Written(*row) for row in connection.execute(query, (who, since))]

    def leases(self) -> dict[str, Lease]:
        """Every region's lease."""
        query = (
            "SELECT name, controller, epoch, expires / 1000.0 - extract(epoch FROM clock_timestamp()) "
            "FROM regions"
        )
        with psycopg.connect(self._url) as connection:
            return {
                name: Lease(controller, epoch, float(left))
                for name, controller, epoch, left in connection.execute(query)
            }

    def results(self, job: str) -> int:
        """Number of results that count for a job."""
        with psycopg.connect(self._url) as connection:
            row = connection.execute("SELECT count(*) FROM results WHERE job = %s", (job,)).fetchone()
        assert row is not None
        return int(row[0])

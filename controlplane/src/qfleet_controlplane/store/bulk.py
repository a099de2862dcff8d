"""Many rows in few statements.

A statement per row would hand the interpreter lock over at every row, and under load each
handing over can cost milliseconds. So rows go many to a statement, in a few fixed sizes that the
driver keeps prepared. The text is the SQL that SQLite and PostgreSQL share.
"""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import sqlalchemy as sa

Row: TypeAlias = tuple[Any, ...]
_SIZES = (256, 64, 16, 4, 1)


class Insert:
    """Writes rows of one table, values in the order of its columns.

    ``conflict`` says what happens to a row whose key is there already: ``fail`` refuses the
    transaction, ``keep`` leaves the old one, ``replace`` overwrites it.
    """

    def __init__(self, table: sa.Table, conflict: Literal["fail", "keep", "replace"] = "fail") -> None:
        names = [column.name for column in table.columns]
        key = [column.name for column in table.primary_key.columns]
        updates = ", ".join(f"{name} = excluded.{name}" for name in names if name not in key)
        self._head = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES "  # noqa: S608 - names of our own
        self._tail = {
            "fail": "",
            "keep": f" ON CONFLICT ({', '.join(key)}) DO NOTHING",
            "replace": f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {updates}",
        }[conflict]
        self._width = len(names)
        self._statements: dict[tuple[str, int], str] = {}

    def write(self, connection: sa.Connection, rows: Sequence[Row]) -> None:
        """Write all rows in the connection's transaction; keys must differ."""
        mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
        start = 0
        for size in _SIZES:
            while len(rows) - start >= size:
                values = tuple(value for row in rows[start : start + size] for value in row)
                connection.exec_driver_sql(self._statement(mark, size), values)
                start += size

    def _statement(self, mark: str, size: int) -> str:
        known = self._statements.get((mark, size))
        if known is None:
            row = f"({', '.join([mark] * self._width)})"
            known = self._statements[mark, size] = self._head + ", ".join([row] * size) + self._tail
        return known

"""Many rows in few statements.

A statement per row would hand the interpreter lock over at every row, and under load each
handing over can cost milliseconds. On SQLite rows go many to a statement, in a few fixed sizes that
the driver keeps prepared; on PostgreSQL a column of them is one array, so that one prepared statement
serves any number of rows.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import sqlalchemy as sa

from qfleet_controlplane.store import driver

Row: TypeAlias = tuple[Any, ...]
_SIZES = (256, 64, 16, 4, 1)
_ARRAY = 1000
"""Rows of one statement on PostgreSQL."""
_TYPES: Mapping[type[sa.types.TypeEngine[Any]], tuple[str, type[Any]]] = {
    sa.Text: ("text", str),
    sa.Integer: ("int8", int),
    sa.Float: ("float8", float),
    sa.LargeBinary: ("bytea", bytes),
}
"""What an array's elements are called, and what all of them must be: drivers refuse mixtures."""


class Insert:
    """Writes rows of one table, values in the order of its columns.

    ``conflict`` says what happens to a row whose key is there already: ``fail`` refuses the
    transaction, ``keep`` leaves the old one, ``replace`` overwrites it.
    """

    def __init__(self, table: sa.Table, conflict: Literal["fail", "keep", "replace"] = "fail") -> None:
        names = [column.name for column in table.columns]
        key = [column.name for column in table.primary_key.columns]
        updates = ", ".join(f"{name} = excluded.{name}" for name in names if name not in key)
        self._head = f"INSERT INTO {table.name} ({', '.join(names)}) "
        self._tail = {
            "fail": "",
            "keep": f" ON CONFLICT ({', '.join(key)}) DO NOTHING",
            "replace": f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {updates}",
        }[conflict]
        self._width = len(names)
        self._statements: dict[int, str] = {}
        elements = [_element(column.type) for column in table.columns]
        self._kinds = [kind for _, kind in elements]
        arrays = ", ".join(f"%b::{name}[]" for name, _ in elements)
        self._by_array = f"{self._head}SELECT * FROM unnest({arrays}){self._tail}"  # noqa: S608 - names of our own

    def write(self, connection: sa.Connection, rows: Sequence[Row]) -> None:
        """Write all rows in the connection's transaction; keys must differ."""
        if not rows:
            return
        if driver.is_sqlite(connection):
            self._write_rows(connection, rows)
        else:
            self._write_arrays(connection, rows)

    def _write_rows(self, connection: sa.Connection, rows: Sequence[Row]) -> None:
        start = 0
        for size in _SIZES:
            while len(rows) - start >= size:
                values = tuple(value for row in rows[start : start + size] for value in row)
                driver.execute(connection, self._statement(size), values)
                start += size

    def _write_arrays(self, connection: sa.Connection, rows: Sequence[Row]) -> None:
        for start in range(0, len(rows), _ARRAY):
            columns = zip(*rows[start : start + _ARRAY], strict=True)
            arrays = tuple(_uniform(column, kind) for column, kind in zip(columns, self._kinds, strict=True))
            connection.exec_driver_sql(self._by_array, arrays)

    def _statement(self, size: int) -> str:
        known = self._statements.get(size)
        if known is None:
            row = f"({', '.join('?' * self._width)})"
            rows = ", ".join([row] * size)
            known = self._statements[size] = f"{self._head}VALUES {rows}{self._tail}"
        return known


def _element(type_: sa.types.TypeEngine[Any]) -> tuple[str, type[Any]]:
    for kind, element in _TYPES.items():
        if isinstance(type_, kind):
            return element
    raise TypeError(f"a column of type {type_!r} cannot be written in bulk")


def _uniform(column: Sequence[Any], kind: Callable[[Any], Any]) -> list[Any]:
    return [value if value is None or type(value) is kind else kind(value) for value in column]

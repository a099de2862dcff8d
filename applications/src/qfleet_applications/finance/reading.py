"""Credit books and contracts from files, and the ones that are bundled."""

import hashlib
from pathlib import Path
from typing import cast

from qfleet_applications.errors import InvalidData
from qfleet_applications.finance.contracts import KINDS, Asset, Contract, Kind
from qfleet_applications.finance.credit import Loan
from qfleet_applications.frame import columns
from qfleet_applications.frame.columns import Column, Frame

BUNDLED = Path(__file__).parent / "data"
BOOK = BUNDLED / "credit_book.csv"
CONTRACTS = BUNDLED / "contracts.csv"
_LEAST = 1e-9
_LARGEST = 1e12


def loans(file: Path, currency: str) -> tuple[Loan, ...]:
    """A credit book: ``loan``, ``probability`` of default, ``sensitivity`` ρ, and ``loss`` in the currency.

    Raises:
        InvalidData: it is not such a table.
    """
    table = columns.read(
        file,
        [
            Column("loan", kind="text"),
            Column("probability", low=_LEAST, high=1.0 - _LEAST),
            Column("sensitivity", low=0.0, high=0.999),
            Column("loss", currency, kind="integer", low=1, high=_LARGEST),
        ],
    )
    _each_once(table, "loan")
    return tuple(
        Loan(name, float(chance), float(sensitivity), int(loss))
        for name, chance, sensitivity, loss in zip(
            table.texts("loan"),
            table.numbers("probability"),
            table.numbers("sensitivity"),
            table.numbers("loss"),
            strict=True,
        )
    )


def contracts(file: Path, currency: str) -> tuple[Contract, ...]:
    """Options: rows that name the same ``contract`` are the assets of one basket.

    Raises:
        InvalidData: it is no such table, or rows of a contract do not agree.
        InvalidProblem: a contract cannot be.
    """
    table = columns.read(
        file,
        [
            Column("contract", kind="text"),
            Column("kind", kind="text"),
            Column("spot", currency, low=_LEAST, high=_LARGEST),
            Column("volatility", low=1e-4, high=10.0),
            Column("weight", low=_LEAST, high=_LARGEST, optional=True),
            Column("strike", currency, low=_LEAST, high=_LARGEST),
            Column("cap", currency, low=0.0, high=_LARGEST, optional=True),
            Column("rate", low=-1.0, high=10.0),
            Column("days", "d", low=1e-3, high=36500.0),
            Column("correlation", low=-1.0, high=1.0, optional=True),
        ],
    )
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(table.texts("contract")):
        rows.setdefault(name, []).append(row)
    return tuple(_contract(table, name, places) for name, places in rows.items())


def _each_once(table: Frame, column: str) -> None:
    """Refuse a name that stands there twice: a row copied by mistake would count twice."""
    seen: dict[str, int] = {}
    for name, line in zip(table.texts(column), table.lines, strict=True):
        if seen.setdefault(name, line) != line:
            raise InvalidData(
                table.file,
                f"{name!r} stands in line {seen[name]} already",
                line=line,
                column=column,
                hint="give each row a name of its own, or delete the copy",
            )


def digest(file: Path) -> str:
    """A file's SHA-256, by which a report says which data it is about."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _contract(table: Frame, name: str, rows: list[int]) -> Contract:
    if len(rows) > 1 and not (table.has("weight") and table.has("correlation")):
        raise InvalidData(
            table.file,
            f"{name!r} is a basket of {len(rows)} rows, which needs the columns weight and correlation",
            line=table.lines[rows[1]],
            column="contract",
            hint="give them, or give each row that is an option by itself a name of its own",
        )
    kind = _common_kind(table, rows)
    spots, volatilities = table.numbers("spot"), table.numbers("volatility")
    weights = table.numbers("weight") if table.has("weight") else spots * 0.0 + 1.0
    return Contract(
        name=name,
        kind=kind,
        assets=tuple(Asset(float(spots[i]), float(volatilities[i]), float(weights[i])) for i in rows),
        strike=_common(table, "strike", rows),
        rate=_common(table, "rate", rows),
        days=_common(table, "days", rows),
        cap=_common(table, "cap", rows),
        correlation=_common(table, "correlation", rows),
    )


def _common(table: Frame, column: str, rows: list[int]) -> float:
    """The number that all rows of a contract have; 0 where the column is not there."""
    if not table.has(column):
        return 0.0
    values = table.numbers(column)
    for row in rows:
        if values[row] != values[rows[0]]:
            raise InvalidData(
                table.file,
                f"{values[row]:g} here and {values[rows[0]]:g} in line {table.lines[rows[0]]} of it",
                line=table.lines[row],
                column=column,
                hint="rows of one contract are assets of one basket: give other options another name",
            )
    return float(values[rows[0]])


def _common_kind(table: Frame, rows: list[int]) -> Kind:
    kinds = table.texts("kind")
    for row in rows:
        if kinds[row] not in KINDS or kinds[row] != kinds[rows[0]]:
            raise InvalidData(
                table.file,
                f"no kind {kinds[row]!r} for this contract",
                line=table.lines[row],
                column="kind",
                hint=f"one of {', '.join(KINDS)}, the same for all its rows",
            )
    return cast("Kind", kinds[rows[0]])

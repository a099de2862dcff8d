"""What was meant where a name or a value of a request is none of those that are possible.

Works on the errors of ``msgspec``, which say what was wrong and where, but not what would be right.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import inspect

_UNKNOWN = re.compile(r"unknown field `([^`]*)`")
_MISSING = re.compile(r"missing required field `([^`]*)`")
_WRONG = re.compile(r"Invalid (?:enum )?value '(.*?)'(?: - at `|$)")
_PLACE = re.compile(r" - at `\$\.?([^`]*)`")
_STEP = re.compile(r"\.\.\.|[^.\[\]]+")  # ``[...]`` is any key of a table
_NEAR = 0.5
"""How alike the names are, in [0, 1], of which one may be meant for the other."""


def hint(message: str, *schemas: Any, place: str | None = None) -> str:
    """Name what was meant, or all that is possible; empty where nothing is known.

    ``place`` is where it stands, such as ``work.directions[0]``, if the message does not say so itself.
    """
    found = _PLACE.search(message)
    where = place if place is not None else found[1] if found else ""
    ends = [end for schema in schemas for end in _at([inspect.type_info(schema)], _STEP.findall(where))]
    if unknown := _UNKNOWN.search(message):
        return _meant(unknown[1], {field.name for end in ends for field in _fields(end)})
    if missing := _MISSING.search(message):
        kinds = (inner for end in ends for inner in _inner(end, missing[1]))
        return _any_of({str(value) for kind in _alternatives(kinds) for value in _values(kind)})
    if wrong := _WRONG.search(message):
        choices = {str(value) for end in ends for value in _values(end)}
        return _meant(wrong[1], choices) or _any_of(choices)
    return ""


def _meant(given: str, choices: set[str]) -> str:
    near = difflib.get_close_matches(given, sorted(choices), n=1, cutoff=_NEAR)
    return f"did you mean `{near[0]}`?" if near else ""


def _any_of(choices: set[str]) -> str:
    return "use " + " or ".join(f"`{choice}`" for choice in sorted(choices)) if choices else ""


def _at(kinds: Iterable[inspect.Type], steps: list[str]) -> Iterator[inspect.Type]:
    """The types that stand at the end of a path of names and positions."""
    for kind in _alternatives(kinds):
        if steps:
            yield from _at(_inner(kind, steps[0]), steps[1:])
        else:
            yield kind


def _alternatives(kinds: Iterable[inspect.Type]) -> Iterator[inspect.Type]:
    for kind in kinds:
        if isinstance(kind, inspect.UnionType):
            yield from _alternatives(kind.types)
        else:
            yield kind


def _inner(kind: inspect.Type, step: str) -> list[inspect.Type]:
    found: list[inspect.Type] = []
    match kind:
        case inspect.StructType(array_like=True, fields=fields):
            found = _nth([field.type for field in fields], step)
        case inspect.StructType(tag_field=name, tag=tag) if name == step and isinstance(tag, str):
            found = [inspect.LiteralType((tag,))]
        case inspect.StructType(fields=fields):
            found = [field.type for field in fields if field.encode_name == step]
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            found = [item]
        case inspect.TupleType(item_types=items):
            found = _nth(items, step)
        case inspect.DictType(value_type=value):
            found = [value]
    return found


def _nth(kinds: Sequence[inspect.Type], step: str) -> list[inspect.Type]:
    return list(kinds[int(step) : int(step) + 1]) if step.isdecimal() else []


def _fields(kind: inspect.Type) -> tuple[inspect.Field, ...]:
    return kind.fields if isinstance(kind, inspect.StructType) else ()


def _values(kind: inspect.Type) -> tuple[object, ...]:
    return kind.values if isinstance(kind, inspect.LiteralType) else ()

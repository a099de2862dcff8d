"""A request as JSON, or a refusal that names the field which JSON cannot say.

Python's ``nan`` and ``inf`` would become ``null`` on the way, of which the control plane could only say that
it is no number. Numbers and arrays of numpy are spelled as what they hold, complex numbers as pairs.
"""

import math
from collections.abc import Iterator
from typing import Any

import msgspec

from qfleet import errors


def spell(body: Any) -> bytes:
    """Spell ``body`` as JSON.

    Raises:
        UserError: a number is not finite, or something has no form in JSON; with the name of the field.
    """
    try:
        content = msgspec.json.encode(body, enc_hook=_said)
    except (TypeError, ValueError) as error:
        where = next((f"{place}: " for place, value in _leaves(body, "") if not _plain(value)), "")
        raise errors.UserError(
            f"{where}the request holds what no JSON can say: {error}",
            hint="use numbers, text, lists and mappings",
        ) from error
    if b"null" in content:  # few requests have any, and large ones take long to walk through
        for place, value in _leaves(body, ""):
            if isinstance(value, float) and not math.isfinite(value):
                raise errors.UserError(f"{place} is {float(value)!r}", hint="give a finite number")
    return content


def _said(value: Any) -> Any:
    """Say plainly what msgspec does not know; numpy is recognised without importing it."""
    if isinstance(value, complex):
        return [value.real, value.imag]
    if callable(plain := getattr(value, "tolist", None)):
        return plain()
    raise TypeError(f"{type(value).__name__} has no form in it")


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Whatever holds nothing else, with its place, such as ``work.points[0][1]``."""
    match value:
        case msgspec.Struct():
            for name in value.__struct_fields__:
                yield from _leaves(getattr(value, name), f"{place}.{name}".lstrip("."))
        case dict():
            for key, each in value.items():
                yield from _leaves(each, f"{place}.{key}".lstrip("."))
        case list() | tuple():
            for number, each in enumerate(value):
                yield from _leaves(each, f"{place}[{number}]")
        case complex() | float() | int() | str() | None:
            yield place, value
        case _ if callable(getattr(value, "tolist", None)):
            yield from _leaves(value.tolist(), place)
        case _:
            yield place, value


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | complex)

"""A request as JSON, or a refusal that names the field which JSON cannot say.

Python's ``nan`` and ``inf`` would become ``null`` on the way, of which the control plane could only say that
it is no number.
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
        content = msgspec.json.encode(body)
    except (TypeError, ValueError) as error:
        where = next((f"{place}: " for place, value in _leaves(body, "") if not _plain(value)), "")
        raise errors.UserError(
            f"{where}the request holds what no JSON can say: {error}",
            hint="use tuples of numbers, not arrays",
        ) from error
    if b"null" in content:  # few requests have any, and large ones take long to walk through
        for place, value in _leaves(body, ""):
            if isinstance(value, float) and not math.isfinite(value):
                raise errors.UserError(f"{place} is {float(value)!r}", hint="give a finite number")
    return content


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
        case _:
            yield place, value


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)

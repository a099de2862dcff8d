"""Real numbers as people write them on a command line: ``0.25``, ``1e-3``, ``pi/2``, ``-3*pi/4``.

Never evaluates anything: a number is read by one regular expression.
"""

import math
import re

from qfleet import errors

_FLOAT = r"\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?"
_NUMBER = re.compile(
    rf"(?P<sign>[+-]?)(?:(?P<plain>{_FLOAT})|(?:(?P<factor>{_FLOAT})\s*\*\s*)?(?:pi|π)"
    rf"(?:\s*/\s*(?P<divisor>{_FLOAT}))?)"
)


def parse(text: str, where: str) -> float:
    """Read a finite number; ``where`` says in the error what it was read from.

    Raises:
        UserError: ``text`` is not a number, or not a finite one.
    """
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise errors.UserError(
            f"{where}: {text.strip()[:80]!r} is not a number",
            hint="numbers are written 0.25, 1e-3, pi/2 or -3*pi/4",
        )
    if match["plain"] is not None:
        value = float(match["plain"])
    else:
        divisor = float(match["divisor"] or 1)
        if divisor == 0:
            raise errors.UserError(f"{where}: {text.strip()[:80]!r} divides by zero")
        value = float(match["factor"] or 1) * math.pi / divisor
    if not math.isfinite(value):
        raise errors.UserError(f"{where}: {text.strip()[:80]!r} is too large for a number of 64 bits")
    return -value if match["sign"] == "-" else value

"""Identifiers and their one spelling rule.

Every identifier that can stand in a topic, a certificate or a file name passes ``parse_name``
once, at the edge; inside, the ``NewType`` says which kind it is.
"""

import re
from typing import NewType

from qfleet_wire.errors import InvalidName

FleetName = NewType("FleetName", str)
RegionName = NewType("RegionName", str)
DeviceName = NewType("DeviceName", str)
ControllerName = NewType("ControllerName", str)
JobId = NewType("JobId", str)
TaskId = NewType("TaskId", str)
Millis = NewType("Millis", int)
"""A point in time: milliseconds since 1970-01-01T00:00:00Z."""

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def parse_name(text: str, what: str) -> str:
    """Return ``text`` if it is a valid name (a DNS label in lower case), else raise ``InvalidName``.

    ``what`` names the thing in the error, for example ``"device"``.
    """
    if _NAME.fullmatch(text) is None:
        raise InvalidName(
            f"{what} name {text[:80]!r} is not valid: use 1 to 63 of a-z, 0-9 and '-', "
            "starting and ending with a letter or digit"
        )
    return text

"""Who may call the API, and what each role may do."""

from dataclasses import dataclass
from enum import IntEnum


class Role(IntEnum):
    """What a caller may do; each role includes the ones before it."""

    VIEWER = 1
    """Look at jobs, devices and results."""
    OPERATOR = 2
    """Submit and cancel jobs."""
    ADMIN = 3
    """Invite and revoke devices."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request."""

    name: str
    role: Role

"""What an error answer says."""

import msgspec


class Place(msgspec.Struct, frozen=True):
    """Where in a program something is wrong; both count from 1."""

    line: int
    column: int


class Problem(msgspec.Struct, frozen=True):
    """The body of every error answer: what was wrong, where, and what to do."""

    code: str
    message: str
    hint: str = ""
    where: Place | None = None
    field: str | None = None

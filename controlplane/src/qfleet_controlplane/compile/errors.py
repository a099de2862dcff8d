"""Why a submitted program, observable or request is refused: what, where, and what to do.

These errors are answers to a user. They hold nothing but the user's own text and numbers.
"""

from typing import Protocol

from qfleet_controlplane.errors import InvalidRequest


class _Span(Protocol):
    @property
    def start_line(self) -> int: ...
    @property
    def start_column(self) -> int: ...


class Placed(Protocol):
    """Anything that knows where in the program's text it stands, such as a node of its tree."""

    @property
    def span(self) -> _Span | None:
        """Lines from 1, columns from 0; None where the place is not known."""


class ProgramRefused(InvalidRequest):
    """A program is not valid, or asks for what no engine can do.

    ``line`` and ``column`` count from 1; ``message`` says what is wrong, ``hint`` what to do.
    """

    def __init__(self, message: str, line: int = 1, column: int = 1, hint: str = "") -> None:
        super().__init__(f"{line}:{column}: {message}", hint=hint)
        self.message = message
        self.line = line
        self.column = column


class ObservableRefused(InvalidRequest):
    """An observable cannot be read; ``column`` counts from 1 in its text.

    ``number`` is its place in the request's list, from 0, where it is known.
    """

    def __init__(self, message: str, column: int = 1, hint: str = "", number: int | None = None) -> None:
        super().__init__(f"column {column}: {message}", hint=hint)
        self.message = message
        self.column = column
        self.number = number


class RequestRefused(InvalidRequest):
    """A field of a job request has a value that cannot be served.

    ``column`` counts from 1 in the field's text, where the fault has a place in it.
    """

    def __init__(self, field: str, message: str, hint: str = "", column: int | None = None) -> None:
        told = f"{field} {message}" if column is None else f"{field}, column {column}: {message}"
        super().__init__(told, hint=hint, field=field)
        self.message = message
        self.column = column


def refuse(node: Placed, message: str, hint: str = "") -> ProgramRefused:
    """The refusal of a program at the place of a node of its tree."""
    span = node.span
    if span is None:
        return ProgramRefused(message, hint=hint)
    return ProgramRefused(message, span.start_line, span.start_column + 1, hint)


def a_job(kind: str) -> str:
    """Speak of a job of a kind, with the article that its name asks for."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind} job"

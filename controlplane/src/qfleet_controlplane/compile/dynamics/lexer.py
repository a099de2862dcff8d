"""The words of formulas and operators, each with its column."""

import re
from typing import Literal, NamedTuple, NoReturn

from qfleet_controlplane.compile.errors import RequestRefused

TEXT = 10_000
"""Longest text of a formula or an operator."""

Kind = Literal["number", "name", "sign", "end"]

_TOKENS = re.compile(
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?j?)|(?P<name>[^\W\d]\w*)|(?P<sign>\*\*|[-+*/(),])"
)
_INSTEAD = {"^": "write ** for a power", "·": "write * for a product", "=": "give an expression alone"}


class Token(NamedTuple):
    """A word; its column counts from 1. The last token is the ``end``, with an empty text."""

    kind: Kind
    text: str
    column: int


class Words:
    """The tokens of a field's text, read from left to right."""

    def __init__(self, field: str, text: str) -> None:
        self.field = field
        if len(text) > TEXT:
            raise RequestRefused(field, f"has {len(text)} characters", f"give at most {TEXT}")
        self._tokens = _read(field, text)
        self._next = 0
        if len(self._tokens) == 1:
            raise RequestRefused(field, "is empty", "leave it out, or give an expression")

    @property
    def now(self) -> Token:
        """The token that is next."""
        return self._tokens[self._next]

    @property
    def after(self) -> Token:
        """The one behind it."""
        return self._tokens[min(self._next + 1, len(self._tokens) - 1)]

    def take(self) -> Token:
        """Step over a token and return it; the end stays."""
        token = self.now
        if token.kind != "end":
            self._next += 1
        return token

    def takes(self, *signs: str) -> Token | None:
        """Step over the next token if it is one of these signs."""
        return self.take() if self.now.kind == "sign" and self.now.text in signs else None

    def expect(self, sign: str) -> Token:
        """Step over a sign that must stand here."""
        return self.takes(sign) or self.refuse(self.now, f"'{sign}' is missing before {told(self.now)}")

    def finish(self, hint: str) -> None:
        """See that nothing is left."""
        if self.now.kind != "end":
            self.refuse(self.now, f"unexpected {told(self.now)}", hint)

    def refuse(self, token: Token, message: str, hint: str = "") -> NoReturn:
        """Refuse the field at a token.

        Raises:
            RequestRefused: always.
        """
        raise RequestRefused(self.field, message, hint, token.column)


def told(token: Token) -> str:
    """How a token is told to people."""
    return f"'{token.text}'" if token.text else "the end"


def _read(field: str, text: str) -> list[Token]:
    tokens: list[Token] = []
    place, end = 0, len(text.rstrip())
    while place < end:
        if text[place].isspace():
            place += 1
            continue
        match = _TOKENS.match(text, place)
        if match is None:
            hint = _INSTEAD.get(text[place], "use numbers, names, + - * / ** and parentheses")
            raise RequestRefused(field, f"unexpected '{text[place]}'", hint, place + 1)
        kind: Kind = "number" if match["number"] else "name" if match["name"] else "sign"
        tokens.append(Token(kind, match[0], place + 1))
        place = match.end()
    return [*tokens, Token("end", "", end + 1)]

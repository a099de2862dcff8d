"""The two streams of a command: results on stdout, everything for people on stderr.

Text that came from elsewhere (device names, errors, programs) passes ``printable`` before it
reaches a terminal, because escape sequences in it could rewrite the screen.
"""

import sys
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

_REPLACEMENT = "\ufffd"


def output() -> Console:
    """The console of results."""
    return Console(file=sys.stdout, highlight=False, emoji=False, markup=False)


def messages() -> Console:
    """The console of messages, progress and errors."""
    return Console(file=sys.stderr, highlight=False, emoji=False, markup=False)


def write_json(value: Any) -> None:
    """Write one value as one line of JSON to stdout."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def say(text: str, style: str = "") -> None:
    """Tell people something, on stderr."""
    messages().print(Text(printable(text), style=style), soft_wrap=True)


def printable(text: str) -> str:
    """``text`` with everything that could steer a terminal replaced; line ends and tabs stay."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else _REPLACEMENT for character in text
    )

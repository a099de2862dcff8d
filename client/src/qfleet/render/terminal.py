"""The two streams of a command: results on stdout, everything for people on stderr.

Text that came from elsewhere (device names, errors, programs) passes ``printable`` before it
reaches a terminal, because escape sequences in it could rewrite the screen.
"""

import os
import sys
from typing import Any, TextIO

import msgspec
from rich.console import Console
from rich.text import Text

_WIDE = 200
_REPLACEMENT = "\ufffd"


def output() -> Console:
    """The console of results."""
    return _console(sys.stdout)


def messages() -> Console:
    """The console of messages, progress and errors."""
    return _console(sys.stderr)


def _console(stream: TextIO) -> Console:
    # what goes to a file or another program is not folded to a screen that is not there
    width = None if stream.isatty() or "COLUMNS" in os.environ else _WIDE
    return Console(file=stream, width=width, highlight=False, emoji=False, markup=False)


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

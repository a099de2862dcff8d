"""In which line of a TOML file a value stands: the standard library's reader does not say.

Knows table headers and ``key =`` lines, which is how scenarios are written; what it does not find (inline
tables, dotted keys) it places at the nearest thing above it.
"""

import re
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]

_HEADER = re.compile(r"(\[\[?)([^\[\]]+)\]\]?[ \t]*(?:#.*)?")
"""Of a line without blanks around it. Blanks inside are stripped later: two patterns that both take them
would try all ways to share a long run between them."""
_KEY = re.compile(r"""(?:"([^"]+)"|'([^']+)'|([A-Za-z0-9_-]+))\s*=""")


class Lines:
    """Line numbers of a text, counted from 1."""

    def __init__(self, text: str) -> None:
        self._at: dict[Path, int] = {}
        counts: dict[str, int] = {}
        table: Path = ()
        # As TOML counts: other characters that end lines elsewhere may stand in its strings.
        for number, given in enumerate(text.split("\n"), 1):
            line = given.strip()
            if header := _HEADER.fullmatch(line):
                table = tuple(part.strip(" \t\"'") for part in header[2].split("."))
                name = ".".join(map(str, table))
                if header[1] == "[[":
                    counts[name] = counts.get(name, -1) + 1
                    table = (*table, counts[name])
                self._at.setdefault(table, number)
            elif key := _KEY.match(line):
                self._at.setdefault((*table, key[1] or key[2] or key[3]), number)

    def of(self, *path: str | int) -> int:
        """Return the line of a value, or of the nearest table around it; 1 where there is none."""
        while path:
            if path in self._at:
                return self._at[path]
            path = path[:-1]
        return 1

"""In which line of a TOML file a value stands: the standard library's reader does not say.

Knows table headers and ``key =`` lines, which is how scenarios are written; what it does not find (inline
tables, dotted keys) it places at the nearest thing above it.
"""

import re
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*(?:"([^"]+)"|'([^']+)'|([A-Za-z0-9_-]+))\s*=""")


class Lines:
    """Line numbers of a text, counted from 1."""

    def __init__(self, text: str) -> None:
        self._at: dict[Path, int] = {}
        counts: dict[str, int] = {}
        table: Path = ()
        for number, line in enumerate(text.splitlines(), 1):
            if header := _HEADER.match(line):
                name = header[2].replace('"', "")
                table = tuple(part.strip() for part in name.split("."))
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

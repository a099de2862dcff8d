"""What is wrong with a scenario, said with file, line and reason."""

import difflib
from collections.abc import Collection
from typing import NoReturn

from qfleet_controlplane.errors import InvalidRequest
from qfleet_controlplane.network.scenario.lines import Lines, Path

_LONGEST_NAME = 100
_MOST_NAMED = 12


class InvalidScenario(InvalidRequest):
    """The scenario is not valid."""


class Complaints:
    """Knows where things stand in one file."""

    def __init__(self, text: str, source: str) -> None:
        self._lines = Lines(text)
        self._source = source

    def refuse(self, path: Path, reason: str) -> NoReturn:
        """Raise ``InvalidScenario`` for the value at ``path``."""
        raise InvalidScenario(f"{self._source}, line {self.line(path)}: {reason}")

    def line(self, path: Path) -> int:
        """Return the line of the value at ``path``."""
        return self._lines.of(*path)

    def unless_known(self, name: str, known: Collection[str], path: Path, what: str) -> None:
        """Refuse a name that nothing bears, with the nearest that is."""
        if name in known:
            return
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        listed = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
        hint = f"; did you mean {near[0]!r}?" if near else f"; there are {listed}" if names else ""
        self.refuse(path, f"there is no {what} {name!r}{hint}")

    def unless_name(self, name: str, path: Path, what: str) -> None:
        """Refuse what cannot be the name of something."""
        if not name or len(name) > _LONGEST_NAME or "|" in name or not name.isprintable():
            shown = name[:_LONGEST_NAME] + ("…" if len(name) > _LONGEST_NAME else "")
            self.refuse(
                path,
                f"{shown!r} cannot be the name of a {what}: "
                f"1 to {_LONGEST_NAME} characters that can be printed, without |",
            )

    def unless_within(self, value: float, path: Path, least: float, most: float) -> None:
        """Refuse a number outside ``[least, most]``, and what is no number."""
        if not least <= value <= most:
            bounds = f"at least {least:g}" if most == float("inf") else f"in [{least:g}, {most:g}]"
            self.refuse(path, f"{path[-1]} = {value:g} must be {bounds}")

    def unless_single(self, names: list[str], table: str, what: str) -> None:
        """Refuse the second of two of one name."""
        seen: set[str] = set()
        for position, name in enumerate(names):
            self.unless_name(name, (table, position, "name"), what)
            if name in seen:
                self.refuse((table, position, "name"), f"two {what}s are called {name!r}")
            seen.add(name)

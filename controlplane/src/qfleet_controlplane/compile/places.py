"""Where the statements of a compiled program stand in its text.

The compiled form carries no places, for devices need none; a refusal that is found later does.
"""

from qfleet_controlplane.compile.errors import Placed
from qfleet_wire import circuit


class Places:
    """The first place of each distinct statement, noted while a program is compiled."""

    def __init__(self) -> None:
        self._found: dict[circuit.Statement, Placed] = {}

    def copy(self) -> "Places":
        """The same places, to be added to apart."""
        made = Places()
        made._found = dict(self._found)
        return made

    def note(self, node: Placed, statement: circuit.Statement) -> None:
        """Note that a statement comes from a node of the program's tree."""
        self._found.setdefault(statement, node)

    def follow(self, changed: circuit.Statement, original: circuit.Statement) -> None:
        """Let a statement that was made of another one stand where that one does."""
        node = self._found.get(original)
        if node is not None:
            self._found.setdefault(changed, node)

    def of(self, statement: circuit.Statement) -> tuple[int, int] | None:
        """Line and column of a statement, both from 1; None where they are not known."""
        node = self._found.get(statement)
        span = None if node is None else node.span
        return None if span is None else (span.start_line, span.start_column + 1)

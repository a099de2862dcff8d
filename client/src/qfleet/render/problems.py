"""Errors as people read them: what was wrong, the line it stands on with a caret, what to do."""

from rich.cells import cell_len
from rich.text import Text

from qfleet.render import terminal
from qfleet_wire import api

_WINDOW = 80
"""Columns of a source line that are shown: a generated program may have it all on one line."""


def text(problem: api.Problem, *, source: str = "", name: str = "") -> Text:
    """Draw a problem; ``source`` is the text that ``problem.where`` points into, ``name`` what it is.

    A message that names its field tells the place in it too.
    """
    drawn = Text.assemble(("error: ", "bold red"), terminal.printable(problem.message))
    if problem.where is not None and not (problem.field and problem.field in problem.message):
        place = f"{name or 'program'}:{problem.where.line}:{problem.where.column}"
        drawn.append(f" ({terminal.printable(place)})", style="dim")
        drawn.append_text(excerpt(source, problem.where))
    elif problem.field is not None and problem.field not in problem.message:
        drawn.append(f" (field {terminal.printable(problem.field)})", style="dim")
    if problem.hint:
        drawn.append_text(Text.assemble(("\nhint: ", "bold cyan"), terminal.printable(problem.hint)))
    return drawn


def excerpt(source: str, where: api.Place) -> Text:
    """The line that ``where`` names with a caret below its column, nothing where there is none."""
    lines = source.splitlines()
    if not 1 <= where.line <= len(lines):
        return Text()
    line = terminal.printable(lines[where.line - 1]).expandtabs(1)
    shown, before = _window(line, min(max(where.column - 1, 0), len(line)))
    margin = str(where.line)
    return Text.assemble(
        (f"\n  {margin} │ ", "dim"),
        shown,
        (f"\n  {' ' * len(margin)} │ ", "dim"),
        " " * cell_len(before),
        ("^", "bold red"),
    )


def _window(line: str, at: int) -> tuple[str, str]:
    """What is shown of a line around the character ``at``, and the part of that before it."""
    cells = cell_len(line)
    if cells <= _WINDOW:
        return line, line[:at]
    size = max(_WINDOW * len(line) // cells, 1)  # fewer characters where they are wide
    start = max(min(at - size // 2, len(line) - size), 0)
    end = start + size
    left, right = "…" if start else "", "…" if end < len(line) else ""
    return left + line[start:end] + right, left + line[start:at]

"""How a sub-command ends: an error becomes a message on stderr and an exit code.

With ``--json`` the error also goes to stdout, as ``{"error": {…}, "exit": 3}``, so that a program
finds one JSON value there whatever happened.
"""

import functools
from collections.abc import Callable
from typing import Any, NoReturn, ParamSpec

import typer

from qfleet import errors
from qfleet.render import problems, terminal

P = ParamSpec("P")


def reported(command: Callable[P, None]) -> Callable[P, None]:
    """Let a sub-command with the option ``json`` end with a report of any error of ours."""

    @functools.wraps(command)
    def guarded(*arguments: P.args, **options: P.kwargs) -> None:
        try:
            command(*arguments, **options)
        except errors.QFleetError as error:
            fail(error, json=bool(options.get("json")))

    return guarded


def fail(error: errors.QFleetError, *, json: bool, source: str = "", name: str = "") -> NoReturn:
    """Report ``error`` and end; ``source`` and ``name`` are of the text that it may point into."""
    if json:
        answer: dict[str, Any] = {"error": error.problem, "exit": error.exit_code}
        terminal.write_json(answer)
    drawn = problems.text(error.problem, source=source, name=name)
    terminal.messages().print(drawn, soft_wrap=True)
    raise typer.Exit(error.exit_code)

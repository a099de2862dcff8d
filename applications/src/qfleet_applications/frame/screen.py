"""A report at a terminal. No number is cut off: a table that is too wide becomes a list of its rows."""

from rich.console import Console
from rich.markdown import Markdown

from qfleet.render import terminal
from qfleet_applications.frame import markdown
from qfleet_applications.frame.report import Report

COLUMN = 14
"""Letters that a column needs to be read."""


def show(report: Report, console: Console) -> None:
    """Print a report as the console is wide."""
    text = markdown.text(report, most_columns=max(console.width // COLUMN, 1))
    console.print(Markdown(terminal.printable(text)))

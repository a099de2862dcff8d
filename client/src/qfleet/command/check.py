"""``qfleet check``: is everything in place to work with the control plane?"""

import typer
from rich.table import Table
from rich.text import Text

from qfleet import diagnosis
from qfleet.command import options
from qfleet.render import terminal

_STYLES = {"ok": "green", "warning": "yellow", "error": "red"}


def check(*, json: options.Json = False) -> None:
    """Check configuration, connection, token and fleet; ends with the exit code of the worst finding."""
    findings = diagnosis.examine()
    if json:
        terminal.write_json(findings)
    else:
        terminal.output().print(_table(findings))
    if code := next((finding.exit_code for finding in findings if finding.exit_code), 0):
        raise typer.Exit(code)


def _table(findings: list[diagnosis.Finding]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for finding in findings:
        advice = f"\n{finding.hint}" if finding.hint else ""
        table.add_row(
            Text(finding.level, style=_STYLES[finding.level]),
            Text(finding.subject, style="bold"),
            Text(terminal.printable(finding.text + advice)),
        )
    return table

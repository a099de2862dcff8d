"""A report as one HTML file that needs nothing else: its plots stand inside."""

import base64
from html import escape
from pathlib import Path

from qfleet_applications.frame import drawing
from qfleet_applications.frame.durations import duration
from qfleet_applications.frame.markdown import BASIS, comparison_table, spelled
from qfleet_applications.frame.report import Figure, Report, Table

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1f24; background: #fff }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 } caption { text-align: left; font-weight: 600 }
td, th { border-bottom: 1px solid #d0d7de; padding: .25rem .75rem; text-align: left; vertical-align: top }
img { max-width: 100% } .verdict { background: #f0f4f8; padding: .75rem 1rem; border-left: 4px solid #5b7fa6 }
@media (prefers-color-scheme: dark) {
  body { background: #15191e; color: #e6e9ec }
  .verdict { background: #222a33 } td, th { border-color: #39424d }
}
"""


def write(report: Report, file: Path) -> None:
    """Write a report."""
    file.write_text(text(report), encoding="utf-8")


def text(report: Report) -> str:
    """A report as a page."""
    verdicts = "".join(f'<p class="verdict">{escape(one.sentence)}</p>' for one in report.comparisons)
    tables = [comparison_table(report.comparisons)] if report.comparisons else []
    notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    parts = [
        f"<h1>{escape(report.title)}</h1>",
        verdicts,
        *(_table(one) for one in tables),
        f"<p>{escape(BASIS)}</p>" if tables else "",
        *(_table(one) for one in report.tables),
        *(_figure(one) for one in report.figures),
        f"<h2>What to know</h2><ul>{notes}</ul>" if notes else "",
        _table(_again(report)),
    ]
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    return (
        f'<!doctype html><html lang="en"><head>{head}<title>{escape(report.title)}</title>'
        f"<style>{_STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _table(table: Table) -> str:
    heads = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(spelled(cell))}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    return (
        f"<table><caption>{escape(table.title)}</caption><thead><tr>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def _figure(figure: Figure) -> str:
    picture = base64.b64encode(drawing.png(figure)).decode()
    return f'<p><img alt="{escape(figure.title)}" src="data:image/png;base64,{picture}"></p>'


def _again(report: Report) -> Table:
    rows = [("command", f"qfleet app {report.pack} {report.command}"), *report.settings.items()]
    rows += [(f"version of {name}", version) for name, version in report.versions.items()]
    rows += [("jobs", ", ".join(report.jobs) or "none"), ("time", duration(report.seconds))]
    return Table("To get it again", ("what", "value"), tuple(rows))

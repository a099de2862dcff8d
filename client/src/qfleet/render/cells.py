"""What cells of tables say: states, sizes, times; and the two shapes of tables."""

import time
from collections.abc import Iterable

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from qfleet.render import terminal

_STYLES = {
    "online": "green",
    "succeeded": "green",
    "running": "cyan",
    "planned": "cyan",
    "partial": "yellow",
    "silent": "yellow",
    "unknown": "yellow",
    "lost": "red",
    "failed": "red",
    "revoked": "red",
    "expired": "red",
    "quarantined": "red",
    "rejected": "red",
}
_MIB = 1024 * 1024


def duration(millis: int) -> str:
    """A time span in the unit that suits it."""
    for length, unit in ((3_600_000, "h"), (60_000, "min"), (1_000, "s")):
        if millis >= length:
            return f"{millis / length:.3g} {unit}"
    return f"{millis} ms"


def status(word: str) -> Text:
    """A status in its colour."""
    return Text(terminal.printable(word), style=_STYLES.get(word, ""))


def size(value: int | None) -> Text:
    """Bytes in MiB or GiB."""
    if value is None:
        return plain(None)
    mib = value / _MIB
    return Text(f"{mib / 1024:.1f} GiB" if mib >= 1024 else f"{mib:.0f} MiB")


def ago(then_ms: int | None, now_ms: int) -> str | None:
    """How long before ``now_ms`` something was; both in milliseconds since the epoch."""
    if then_ms is None:
        return None
    seconds = max(now_ms - then_ms, 0) // 1000
    for length, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"


def moment(then_ms: int | None) -> str | None:
    """A point in time, UTC."""
    if then_ms is None:
        return None
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(then_ms / 1000))


def listing(names: Iterable[str], *columns: str) -> Table:
    """A table whose first column holds ``names``: other commands take them, so they are never cut."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column)
    table.columns[0].min_width = max((cell_len(terminal.printable(name)) for name in names), default=0)
    return table


def facts() -> Table:
    """A table of one thing: a word and what is known of it, line by line."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    return table


def plain(value: object, style: str = "") -> Text:
    """Anything as a cell, without what a terminal would obey; a dash where there is nothing."""
    if value is None or value == "":
        return Text("–", style="dim")
    return Text(terminal.printable(str(value)), style=style)

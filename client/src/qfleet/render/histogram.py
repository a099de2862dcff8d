"""Counts of outcomes as a histogram of text: bars in eighths of a character, widest count first."""

from collections.abc import Mapping

from rich.cells import cell_len
from rich.text import Text

from qfleet.render import terminal

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LONGEST_BAR = 40
_SHORTEST_BAR = 8


def lines(counts: Mapping[str, int], *, top: int = 16, width: int = 80) -> list[Text]:
    """Draw the ``top`` most frequent outcomes, equals in order of outcome, at most ``width`` wide.

    Each line: outcome, bar relative to the most frequent one, count, share of all shots. What is
    left out is told in a last line.
    """
    shots = sum(counts.values())
    if shots == 0:
        return [Text("no shots")]
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    shown, rest = ranked[:top], ranked[top:]
    label = max(cell_len(terminal.printable(outcome)) for outcome, _ in shown)
    digits = len(str(shown[0][1]))
    room = max(_SHORTEST_BAR, min(_LONGEST_BAR, width - label - digits - 13))
    drawn = [
        _line(
            terminal.printable(outcome).rjust(label),
            bar(count / shown[0][1], room),
            f"{count:>{digits}}",
            count / shots,
        )
        for outcome, count in shown
    ]
    if rest:
        left = sum(count for _, count in rest)
        drawn.append(Text(f"… {len(rest)} more, together {left} ({left / shots:.1%})", style="dim"))
    return drawn


def bar(share: float, width: int) -> str:
    """A bar of ``share`` (0 to 1) of ``width`` characters; whatever is not zero is seen."""
    eighths = round(share * width * 8)
    if share > 0:
        eighths = max(eighths, 1)
    full, part = divmod(eighths, 8)
    text = "█" * full + (_EIGHTHS[part] if part else "")
    return text.ljust(width)


def _line(outcome: str, drawn: str, count: str, share: float) -> Text:
    return Text.assemble(
        (outcome, "bold"),
        "  ",
        (drawn, "cyan"),
        "  ",
        count,
        "  ",
        (f"{share:6.1%}", "dim"),
        overflow="ignore",
        no_wrap=True,
    )

"""A QR code of Unicode half blocks, for a camera that reads a terminal."""

import io

_BORDER = 4
"""The quiet zone that the standard asks for, in modules."""


def code(content: str, *, width: int) -> str | None:
    """Draw ``content`` compactly, one column per module; None where ``width`` columns are too few."""
    # only one command needs segno
    import segno  # noqa: PLC0415

    symbol = segno.make(content, error="l", micro=False)
    if symbol.symbol_size(border=_BORDER)[0] > width:
        return None
    drawn = io.StringIO()
    symbol.terminal(drawn, border=_BORDER, compact=True)
    return drawn.getvalue()

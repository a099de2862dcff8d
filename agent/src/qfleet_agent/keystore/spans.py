"""Sets of bytes of a block, as sorted spans that neither touch nor overlap; pure.

A span is (start, stop) in bytes from the block's start, ``stop`` not included.
"""

from collections.abc import Iterator

from qfleet_agent.errors import BitsUsed

Span = tuple[int, int]
Spans = tuple[Span, ...]


def claim(used: Spans, start: int, stop: int) -> Spans:
    """Return ``used`` with the bytes from ``start`` to ``stop``.

    Raises:
        BitsUsed: one of them is in ``used`` already, or there are none.
    """
    if not 0 <= start < stop:
        raise BitsUsed(f"bytes {start} to {stop} are no span")
    for low, high in used:
        if start < high and low < stop:
            raise BitsUsed(f"bytes {max(start, low)} to {min(stop, high)} are used already")
    return tuple(_merged(sorted((*used, (start, stop)))))


def gaps(used: Spans, start: int, stop: int) -> Iterator[Span]:
    """Yield what of ``start`` to ``stop`` is not in ``used``, the lowest first."""
    for low, high in used:
        if low >= stop:
            break
        if start < low:
            yield start, low
        start = max(start, high)
    if start < stop:
        yield start, stop


def length(spans: Spans) -> int:
    """Return how many bytes the spans have."""
    return sum(high - low for low, high in spans)


def covers(used: Spans, start: int, stop: int) -> bool:
    """Whether all bytes from ``start`` to ``stop`` are in ``used``."""
    return next(gaps(used, start, stop), None) is None


def _merged(spans: list[Span]) -> Iterator[Span]:
    begin, end = spans[0]
    for low, high in spans[1:]:
        if low == end:
            end = high
        else:
            yield begin, end
            begin, end = low, high
    yield begin, end

"""Server-sent events, read from lines as the HTML standard (section 9.2.6) says.

Pure: it never opens a connection. Comments and unknown fields are skipped; an event that the
stream broke off is dropped.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its name (``message`` where the stream gives none) and its data."""

    name: str
    data: str


def parse(lines: Iterable[str]) -> Iterator[Event]:
    """Yield the events of a stream of lines without their line ends."""
    name = ""
    data: list[str] = []
    for line in lines:
        if not line:
            if data:
                yield Event(name or "message", "\n".join(data))
            name, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)

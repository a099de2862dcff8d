"""When devices of a scenario are in contact: what they are told for their ways over satellites.

A device on a satellite is in contact while it stands above a station, one at a station while a satellite
stands above it; passes that overlap are one window. Contacts that the scenario gives count like passes.
"""

from collections.abc import Iterable, Iterator

from qfleet_controlplane.network.survey import Survey
from qfleet_wire.names import DeviceName, Millis
from qfleet_wire.ways import Window

_APART_MS = 1
"""Windows that touch are one."""


def windows(survey: Survey) -> dict[DeviceName, tuple[Window, ...]]:
    """Windows of each device that has any, in order and apart from each other, as instants in UTC."""
    found: dict[str, list[tuple[float, float]]] = {node: [] for node in survey.devices}
    for ends, start_s, end_s in _contacts(survey):
        for node in ends:
            if node in found:
                found[node].append((start_s, end_s))
    return {
        DeviceName(survey.devices[node]): tuple(_joined(survey.epoch_ms, spans))
        for node, spans in found.items()
        if spans
    }


def until(survey: Survey) -> Millis:
    """When the scenario ends."""
    return Millis(survey.epoch_ms + round(1000 * survey.duration_s))


def _contacts(survey: Survey) -> Iterator[tuple[tuple[str, str], float, float]]:
    for seen in survey.passes:
        yield (seen.satellite, seen.site), seen.rise_s, seen.set_s
    for one in survey.contacts:
        if one.kind == "satellite" and one.origin != "computed":
            yield (one.a, one.b), one.start_s, one.end_s


def _joined(epoch_ms: int, spans: Iterable[tuple[float, float]]) -> Iterator[Window]:
    """Spans in seconds since the epoch as windows in order, those that overlap as one."""
    opens: int | None = None
    closes = 0
    for start_s, end_s in sorted(spans):
        start, end = epoch_ms + round(1000 * start_s), epoch_ms + round(1000 * end_s)
        if opens is not None and start > closes + _APART_MS:
            yield Window(Millis(opens), Millis(closes))
            opens = None
        opens, closes = (start, end) if opens is None else (opens, max(closes, end))
    if opens is not None:
        yield Window(Millis(opens), Millis(closes))

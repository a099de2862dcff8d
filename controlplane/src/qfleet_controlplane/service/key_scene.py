"""The network twin as the authority of keys sees it, read from the store: links, time, and what is wrong.

The time is the twin's once it has run; before that the clock's, counted from the scenario's epoch.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from qfleet_controlplane.keys.model import Scene
from qfleet_controlplane.network.key_links import KeyLink
from qfleet_controlplane.network.twin.model import Fault, pair
from qfleet_controlplane.store import networks
from qfleet_wire.names import Millis


class _Survey(msgspec.Struct, frozen=True):
    """What counts here of a ``Survey``; the rest is skipped."""

    epoch_ms: int
    duration_s: float
    links: tuple[KeyLink, ...] = ()


class _Twin(msgspec.Struct, frozen=True):
    """What counts here of a ``Twin``."""

    at_s: float = 0.0
    faults: dict[str, Fault] = {}


class _Known(NamedTuple):
    number: int
    survey: _Survey
    links: Mapping[str, KeyLink]


class Scenes:
    """Reads scenes; what a scenario does not change is kept. May be used by several threads."""

    def __init__(self) -> None:
        self._known: _Known | None = None

    def read(self, connection: sa.Connection, now: Millis) -> Scene:
        """The network as it is; one without links where none is loaded."""
        known = self._known
        number = networks.number(connection)
        if number is None:
            return Scene()
        if known is None or known.number != number:
            found = networks.loaded(connection)
            if found is None:
                return Scene()
            survey = msgspec.json.decode(found.survey, type=_Survey)
            links = {pair(one.a, one.b): one for one in survey.links}
            known = self._known = _Known(found.id, survey, links)
        saved = networks.twin(connection, known.number)
        twin = _Twin() if saved is None else _read(saved.state)
        return Scene(
            number=known.number,
            at_s=_time(known.survey, saved, twin, now),
            links=known.links,
            faults=twin.faults,
            marking=bool(networks.asked(connection, known.number)),
        )


def _read(state: bytes) -> _Twin:
    """A twin that cannot be read is one that never ran; ``network status`` says what is wrong with it."""
    try:
        return msgspec.json.decode(state, type=_Twin)
    except msgspec.DecodeError:
        return _Twin()


def _time(survey: _Survey, saved: networks.Saved | None, twin: _Twin, now: Millis) -> float:
    if saved is None or not (saved.running or twin.at_s > 0.0):
        return (now - survey.epoch_ms) / 1000
    ran_s = (now - saved.saved) / 1000 * saved.speed if saved.running else 0.0
    return min(twin.at_s + max(0.0, ran_s), survey.duration_s)

"""What was compiled last, kept: a program is sent again and again, with other points, shots or observables.

Compiling is a function of its input alone, so that what is kept is what would be made anew.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from qfleet_controlplane.compile import program
from qfleet_controlplane.compile.places import Places
from qfleet_controlplane.compile.source import Source
from qfleet_wire import circuit, codec, program_load

MOST_BYTES = 64 * 1024
"""Of an encoded program that is kept; in memory it takes some thirty times as much."""
_MOST = 16
_TEXT_CHARACTERS = 8 * 1024

T = TypeVar("T")


class Recent(Generic[T]):
    """Values by key, those that were asked for last.

    Threads may share one: each step is one of a dictionary's own, and what two of them do at once costs at
    most that something is made anew.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._kept: dict[Hashable, T] = {}

    def get(self, key: Hashable) -> T | None:
        """The value that was put under a key, if it is still kept."""
        found = self._kept.pop(key, None)
        if found is not None:
            self._kept[key] = found
        return found

    def put(self, key: Hashable, value: T) -> None:
        """Keep a value; of too many the one that was asked for longest ago goes."""
        self._kept[key] = value
        for old in list(self._kept)[: -self._most]:
            self._kept.pop(old, None)


class Compiled(NamedTuple):
    """A program with the places of its statements in the text."""

    program: circuit.Program
    places: Places


_programs: Recent[Compiled] = Recent()
_loads: Recent[program_load.ProgramLoad] = Recent()


def compile_source(
    text: str, loaded: Source, *, bindings: Mapping[str, float], swept: Sequence[str]
) -> Compiled:
    """As ``program.compile_source`` of the ``loaded`` text; the places are the caller's own."""
    key = (text, tuple((name, _exactly(value)) for name, value in bindings.items()), tuple(swept))
    kept = _programs.get(key) if len(text) <= _TEXT_CHARACTERS else None
    if kept is None:
        places = Places()
        made = program.compile_source(loaded, bindings=bindings, swept=swept, places=places)
        kept = Compiled(made, places)
        if len(text) <= _TEXT_CHARACTERS and len(codec.encode(made)) <= MOST_BYTES:
            _programs.put(key, kept)
    return Compiled(kept.program, kept.places.copy())


def load_of(program_: circuit.Program, encoded: bytes, shots: int) -> program_load.ProgramLoad:
    """As ``program_load.of_program`` of a program, which is also given as its encoding."""
    key = (encoded, shots)
    found = _loads.get(key) if len(encoded) <= MOST_BYTES else None
    if found is None:
        found = program_load.of_program(program_, shots)
        if len(encoded) <= MOST_BYTES:
            _loads.put(key, found)
    return found


def _exactly(value: float) -> tuple[type, str]:
    """What tells every two values apart: 0.0 equals -0.0, and 1 equals 1.0 and True."""
    return type(value), value.hex() if isinstance(value, float) else repr(value)

"""Adds up a counter of all controllers, over their restarts.

A process that is killed takes along what it counted since it was last asked: whoever kills asks before, and
what came in the milliseconds between is all that is missing.
"""

import contextlib
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple, Self

import httpx
import msgspec
from tests.system.site import Site

_EVERY_S = 0.25


class Reading(NamedTuple):
    """What a counter shows, and which life of its controller counts in it: it begins at 0 with each."""

    life: int
    shown: float


@dataclass(slots=True)
class Meter:
    """A context manager: it asks inside the ``with``; ``total`` is the sum afterwards."""

    site: Site
    counter: str
    total: float = 0.0
    _last: dict[tuple[str, int], float] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)
    _asking: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._ask_all()
        self.total = 0.0
        self._thread = threading.Thread(target=self._run, name="meter")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        assert self._thread is not None
        self._thread.join()
        self._ask_all()

    def _run(self) -> None:
        while not self._over.wait(_EVERY_S):
            self._ask_all()

    def ask(self, controller: str) -> None:
        """Add what a controller has counted since it was last asked; nothing if it does not answer."""
        with self._asking:
            now = self.read(controller)
            if now is not None:
                self.total += now.shown - self._last.get((controller, now.life), 0.0)
                self._last[controller, now.life] = now.shown

    def _ask_all(self) -> None:
        for controller in self.site.controllers:
            self.ask(controller)

    def read(self, controller: str) -> Reading | None:
        """What a controller says now."""
        with contextlib.suppress(OSError, httpx.HTTPError, msgspec.DecodeError, KeyError):
            file = self.site.directory / controller / "address.json"
            life = file.stat().st_mtime_ns  # written by each start
            address = msgspec.json.decode(file.read_bytes(), type=dict[str, object])
            text = httpx.get(f"{address['api']}/metrics", timeout=1.0).text
            found = [line for line in text.splitlines() if line.startswith(f"{self.counter} ")]
            return Reading(life, float(found[0].split()[1]) if found else 0.0)
        return None

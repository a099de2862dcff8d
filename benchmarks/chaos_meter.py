"""Adds up a counter of all controllers, over their restarts.

A process that is killed takes along what it counted since it was last asked, so the sum is a
lower bound.
"""

import contextlib
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import httpx
import msgspec
from tests.system.site import Site

_EVERY_S = 0.25


@dataclass(slots=True)
class Meter:
    """A context manager: it asks inside the ``with``; ``total`` is the sum afterwards."""

    site: Site
    counter: str
    total: float = 0.0
    _last: dict[str, float] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        for controller in self.site.controllers:
            self._last[controller] = self._read(controller) or 0.0
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

    def _ask_all(self) -> None:
        for controller in self.site.controllers:
            now = self._read(controller)
            if now is None:
                continue
            before = self._last[controller]
            self.total += now - before if now >= before else now
            self._last[controller] = now

    def _read(self, controller: str) -> float | None:
        with contextlib.suppress(OSError, httpx.HTTPError, msgspec.DecodeError, KeyError):
            state = self.site.directory / controller
            address = msgspec.json.decode((state / "address.json").read_bytes(), type=dict[str, object])
            text = httpx.get(f"{address['api']}/metrics", timeout=1.0).text
            found = [line for line in text.splitlines() if line.startswith(f"{self.counter} ")]
            return float(found[0].split()[1]) if found else 0.0
        return None

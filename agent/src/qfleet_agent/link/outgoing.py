"""What waits to be sent, in the form in which it takes the least room on the wire; no I/O.

A task that has finished before its acceptance was sent needs no acceptance; of heartbeats and
announcements only the last counts.
"""

from collections.abc import Iterable
from typing import Literal

from qfleet_agent.machine.events import Key
from qfleet_wire import codec
from qfleet_wire.payloads import (
    Accepted,
    Announcement,
    Heartbeat,
    Inventory,
    Progress,
    RenewRequest,
    Started,
    ToPeer,
    Up,
)

HINTS_KEPT = 4096
"""Waiting hints (starts, progress) beyond which new ones are dropped: they may be lost."""

PEER_BYTES = 4 * 1024 * 1024
"""Waiting bodies for other devices beyond which new ones are refused: their users repeat them."""

_Slot = tuple[Literal["accepted", "started", "progress"], Key] | type | int
_LAST_COUNTS = (Heartbeat, Announcement, Inventory, RenewRequest)


class Outgoing:
    """Payloads and result keys, each at most once, in the order in which they were first asked for."""

    def __init__(self) -> None:
        self._payloads: dict[_Slot, Up] = {}
        self._results: dict[Key, bytes | None] = {}
        self._number = 0
        self._peer_bytes = 0

    def __bool__(self) -> bool:
        return bool(self._payloads or self._results)

    @property
    def results_wait(self) -> bool:
        """Whether results are in line."""
        return bool(self._results)

    def add(self, payload: Up) -> None:
        """Put a payload in line."""
        match payload:
            case Accepted(task, attempt):
                if (task, attempt) not in self._results:
                    self._payloads[("accepted", (task, attempt))] = payload
            case Started(task, attempt):
                self._hint(("started", (task, attempt)), payload)
            case Progress(task, attempt):
                self._hint(("progress", (task, attempt)), payload)
            case _ if isinstance(payload, _LAST_COUNTS):
                self._payloads[type(payload)] = payload
            case _:
                self._number += 1
                self._payloads[self._number] = payload

    def add_for_peer(self, item: ToPeer) -> bool:
        """Put a body for another device in line; False when too much waits."""
        if self._peer_bytes + len(item.body) > PEER_BYTES:
            return False
        self._peer_bytes += len(item.body)
        self.add(item)
        return True

    def add_result(self, key: Key, result: bytes | None) -> None:
        """Put a result in line; its encoded ``TaskResult`` if at hand, else it is read when sent."""
        for what in ("accepted", "started", "progress"):
            self._payloads.pop((what, key), None)
        self._results[key] = result

    def drop(self, keys: Iterable[Key]) -> None:
        """Forget results that were acknowledged before they were sent again."""
        for key in keys:
            self._results.pop(key, None)

    def clear(self) -> None:
        """Forget everything: the next session begins with an inventory."""
        self._payloads.clear()
        self._peer_bytes = 0
        self._results.clear()

    def take_payloads(self, items: int, size: int) -> list[bytes]:
        """Take encoded payloads, at most so many and so large together, and at least one if any wait."""
        taken: list[bytes] = []
        room = size
        while self._payloads and len(taken) < items:
            slot = next(iter(self._payloads))
            encoded = codec.encode(self._payloads[slot])
            if taken and len(encoded) > room:
                break
            gone = self._payloads.pop(slot)
            if isinstance(gone, ToPeer):
                self._peer_bytes -= len(gone.body)
            taken.append(encoded)
            room -= len(encoded)
        return taken

    def take_results(self, most: int) -> dict[Key, bytes | None]:
        """Take up to ``most`` results, with their bytes where these are at hand."""
        keys = list(self._results)[:most] if len(self._results) > most else list(self._results)
        return {key: self._results.pop(key) for key in keys}

    def put_back(self, results: dict[Key, bytes | None]) -> None:
        """Put results that did not fit in front again."""
        self._results = {**results, **self._results}

    def _hint(self, slot: _Slot, payload: Up) -> None:
        if slot in self._payloads or len(self._payloads) < HINTS_KEPT:
            self._payloads[slot] = payload

"""Turns what waits into sealed messages: what gathers during one publish goes in the next.

Results are signed once per message. Artefacts travel in chunks beside everything else, their
result after their last chunk.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

from qfleet_agent.journal.journal import Journal
from qfleet_agent.journal.store import Kept
from qfleet_agent.link.outgoing import Outgoing
from qfleet_agent.machine.events import Key
from qfleet_wire import codec, payloads
from qfleet_wire.channel import keys
from qfleet_wire.limits import LIMITS
from qfleet_wire.names import Millis

MESSAGE_BYTES = 512 * 1024
"""Plaintext of a sealed message, unless a single payload is larger."""
_RESULTS_AT_ONCE = 512
_SAMPLES_AT_ONCE = 500


@dataclass(slots=True)
class _Parcel:
    """An artefact on its way: ``sent`` of its ``count`` chunks have left."""

    key: Key
    result: bytes
    digest: bytes
    count: int
    sent: int = 0


@dataclass(frozen=True, slots=True)
class _Foreseen:
    """Results, signed before they were put in line."""

    key: MLDSA65PrivateKey
    results: list[bytes]
    signed: bytes


class Batches:
    """Makes the plaintexts of messages from what waits."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._parcels: dict[Key, _Parcel] = {}
        self._telemetry: tuple[int, int] | None = None
        self._foreseen: _Foreseen | None = None
        self.outgoing = Outgoing()

    def foresee(self, results: Sequence[bytes], key: MLDSA65PrivateKey) -> None:
        """Sign results that will soon be all that is in line; if it comes otherwise, that was for nothing."""
        self._foreseen = None
        fit = len(results) <= _RESULTS_AT_ONCE and sum(map(len, results)) <= MESSAGE_BYTES
        if fit and not self.outgoing.results_wait:
            self._foreseen = _Foreseen(key, list(results), _signed(list(results), key))

    def ask_telemetry(self, after: int, lost: int) -> None:
        """Let journalled samples after this number go when no result waits."""
        self._telemetry = (after, lost)

    def drop(self, acknowledged: Sequence[Key]) -> None:
        """Forget results that the controller has."""
        self.outgoing.drop(acknowledged)
        for key in acknowledged:
            self._parcels.pop(key, None)

    def clear(self) -> None:
        """Forget everything that waits."""
        self.outgoing.clear()
        self._parcels.clear()
        self._telemetry = None
        self._foreseen = None

    async def next(self, key: MLDSA65PrivateKey, now: Callable[[], Millis]) -> bytes | None:
        """Return the next plaintext, its results signed with ``key``; None when nothing waits."""
        items = self.outgoing.take_payloads(LIMITS.batch_items - 2, MESSAGE_BYTES)
        room = MESSAGE_BYTES - sum(map(len, items))
        results = await self._results(room)
        if results:
            items.append(self._signed(results, key))
            room -= sum(map(len, results))
        if room >= LIMITS.chunk_bytes or not items:
            items += await self._chunk(key)
        if self._telemetry is not None and not results and not self._parcels:
            items += await self._samples(*self._telemetry)
        if not items:
            return None
        raws = tuple(msgspec.Raw(item) for item in items)
        return codec.encode(payloads.Batch(epoch=0, sent=now(), items=raws))

    def _signed(self, results: list[bytes], key: MLDSA65PrivateKey) -> bytes:
        foreseen, self._foreseen = self._foreseen, None
        if foreseen is not None and foreseen.key is key and foreseen.results == results:
            return foreseen.signed
        return _signed(results, key)

    async def _results(self, room: int) -> list[bytes]:
        if room <= 0:
            return []
        taken = self.outgoing.take_results(_RESULTS_AT_ONCE)
        missing = [key for key, result in taken.items() if result is None]
        stored = await self._journal.results(missing) if missing else {}
        ready: list[bytes] = []
        left: dict[Key, bytes | None] = {}
        for key, fresh in taken.items():
            result = self._ready(key, fresh, stored.get(key))
            if result is None:
                continue
            if ready and len(result) > room:
                left[key] = fresh
                continue
            ready.append(result)
            room -= len(result)
        self.outgoing.put_back(left)
        return ready

    def _ready(self, key: Key, fresh: bytes | None, stored: Kept | None) -> bytes | None:
        """Return a result that can be sent now; one with an artefact begins to travel instead."""
        if fresh is not None:
            return fresh
        if stored is None or stored.digest is None:
            return None if stored is None else stored.result
        count = -(-stored.size // LIMITS.chunk_bytes)
        self._parcels.setdefault(key, _Parcel(key, stored.result, stored.digest, count))
        return None

    async def _samples(self, after: int, lost: int) -> list[bytes]:
        self._telemetry = None
        stored = await self._journal.telemetry(after, _SAMPLES_AT_ONCE)
        samples = tuple(codec.decode(one, payloads.Sample) for one in stored)
        return [codec.encode(payloads.Telemetry(samples, lost))] if samples else []

    async def _chunk(self, key: MLDSA65PrivateKey) -> list[bytes]:
        if not self._parcels:
            return []
        parcel = next(iter(self._parcels.values()))
        start = parcel.sent * LIMITS.chunk_bytes
        data = await self._journal.artefact(parcel.digest, start, LIMITS.chunk_bytes)
        parcel.sent += 1
        chunk = payloads.Chunk(parcel.digest, parcel.sent - 1, parcel.count, data)
        if parcel.sent < parcel.count:
            return [codec.encode(chunk)]
        self._parcels.pop(parcel.key, None)
        return [codec.encode(chunk), _signed([parcel.result], key)]


def _signed(results: list[bytes], key: MLDSA65PrivateKey) -> bytes:
    signature = keys.result_signature(key, results)
    return codec.encode(payloads.Results(tuple(msgspec.Raw(one) for one in results), signature))

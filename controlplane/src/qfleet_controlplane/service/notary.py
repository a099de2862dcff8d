"""Makes provenance bundles of finished jobs: gathers what devices have signed, and signs the whole.

Reads and signs only. A result whose device's certificate is not on record any more makes the bundle
impossible, and that is said: a bundle that does not verify helps nobody.
"""

import asyncio
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import Protocol

import msgspec
import sqlalchemy as sa

from qfleet_controlplane.errors import Conflict, NotFound
from qfleet_controlplane.planning import kinds
from qfleet_controlplane.planning.plan import Plan
from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.service import readings
from qfleet_controlplane.store import evidence, records
from qfleet_controlplane.store.database import Database
from qfleet_wire import api, codec
from qfleet_wire.channel import chains, provenance, verification
from qfleet_wire.channel.authority import Credentials
from qfleet_wire.errors import Untrusted
from qfleet_wire.names import JobId, Millis


class Signer(Protocol):
    """A controller's key and certificate, as they are now, and the root's list of what is revoked."""

    @property
    def credentials(self) -> Credentials:
        """Key, chain, and the authority of the fleet."""

    @property
    def revocations(self) -> bytes:
        """The signed list."""


class Notary:
    """Bundles of the whole fleet's jobs.

    Args:
        database: the store that all regions share.
        signer: whose signature stands under a bundle.
        clock: wall-clock time.
    """

    def __init__(self, database: Database, signer: Signer, clock: Callable[[], Millis]) -> None:
        self._database = database
        self._signer = signer
        self._clock = clock

    async def bundle(self, job: JobId) -> bytes:
        """The encoded bundle of a finished job. Raises ``NotFound`` or ``Conflict``."""
        signer = self._signer.credentials
        root = signer.authority.root
        parts = await self._database.read(lambda connection: gather(connection, job, root))
        parts["authority"] = signer.authority.raw
        parts["revocations"] = self._signer.revocations
        return await asyncio.to_thread(provenance.seal, parts, signer.key, signer.chain, self._clock())


def gather(connection: sa.Connection, job: JobId, root: chains.Root) -> dict[str, bytes]:
    """All parts but those of the signer; run in a reader's thread."""
    stored, view = evidence.job(connection, job), readings.view(connection, job)
    result = readings.result(connection, job)
    if stored is None or view is None or result is None:
        raise NotFound(f"there is no job {job!r}: `qfleet job list` shows the latest")
    if view.status not in api.FINISHED:
        raise Conflict(f"job {job} is {view.status}: its provenance is there when it is finished")
    whole, planned = records.specification_of(stored.specification), records.plan_of(stored.plan)
    facts = provenance.Facts(
        job, root.fleet, view.status, stored.created, whole.seed, whole.agree, whole.copies,
        version("qfleet-controlplane"),
    )  # fmt: skip
    parts = {
        "job": codec.encode(facts),
        "request": stored.request,
        "specification": stored.specification,
        "plan": stored.plan,
        "result": msgspec.json.encode(result),
        "works": codec.encode(works(whole, planned)),
    }
    return parts | _signed(connection, job, root)


def works(whole: Specification, planned: Plan) -> provenance.Works:
    """What each task of a job computes."""
    each = {place: bytes(kinds.encode(whole, part)) for place, part in enumerate(planned.slices)}
    return provenance.taken_apart(each)


def _signed(connection: sa.Connection, job: JobId, root: chains.Root) -> dict[str, bytes]:
    """Results, flushes and certificates."""
    parts: dict[str, bytes] = {}
    found = list(evidence.results(connection, job))
    numbers: dict[bytes, int] = {}
    machines = {name: evidence.machine(connection, name) for name in {one.device for one in found}}
    for one in found:
        number = numbers.setdefault(one.batch, len(numbers))
        told = provenance.Evidence(
            one.position, one.device, one.status, one.attempt, one.received, one.raw, one.body, number,
            one.batch_position, machines[one.device],
        )  # fmt: skip
        parts[f"task {one.position}"] = codec.encode(told)
    given: list[tuple[bytes, ...]] = []
    for batch in evidence.batches(connection, list(numbers)):
        chain = _chain_of(batch, evidence.chains(connection, batch.device), root)
        if chain not in given:
            given.append(chain)
        flush = provenance.Flush(
            batch.device, batch.signature, batch.digests, batch.received, given.index(chain)
        )
        parts[f"batch {numbers[batch.id]}"] = codec.encode(flush)
    return parts | {f"chain {n}": codec.encode(provenance.Chain(chain)) for n, chain in enumerate(given)}


def _chain_of(
    batch: evidence.Batch, granted: Iterable[tuple[bytes, ...]], root: chains.Root
) -> tuple[bytes, ...]:
    """The chain of the certificate under which a flush was signed: the device may have renewed it since."""
    for chain in granted:
        try:
            peer = chains.verify(chain, root)
            verification.verify_flush(peer, batch.digests, batch.signature)
        except Untrusted:
            continue
        if peer.validity.not_before <= batch.received <= peer.validity.not_after:
            return chain
    raise Conflict(f"no certificate on record verifies a flush of results from {batch.device}")

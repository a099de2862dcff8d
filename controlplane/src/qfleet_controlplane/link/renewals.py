"""Renewing devices' certificates: the same CSR gets the same chain, whatever was lost on the way."""

import asyncio
import logging

import sqlalchemy as sa

from qfleet_controlplane.authority import membership
from qfleet_controlplane.authority.keyring import Issued
from qfleet_controlplane.errors import Unavailable
from qfleet_controlplane.link import faults
from qfleet_controlplane.link.inbound import Post
from qfleet_controlplane.link.parts import Parts
from qfleet_controlplane.machine import events
from qfleet_controlplane.store import audit, registry
from qfleet_wire import payloads
from qfleet_wire.channel import certificates, derivation
from qfleet_wire.channel.rates import Buckets
from qfleet_wire.errors import Refused
from qfleet_wire.names import DeviceName, Millis

_log = logging.getLogger(__name__)

_BURST = 4
_INTERVAL_MS = 30_000


class Renewals:
    """Takes requests that came inside a session, so that the device is known."""

    def __init__(self, parts: Parts, post: Post) -> None:
        self._parts = parts
        self._post = post
        self._rate = Buckets(burst=_BURST, interval_ms=_INTERVAL_MS)
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, device: DeviceName, request: payloads.RenewRequest) -> None:
        """Take a request in; called from the inbound path, never waits."""
        if not self._rate.admit(device, self._parts.around.clock()):
            self._parts.around.counts.dropped.add("renewal-rate")
            return
        task = asyncio.get_running_loop().create_task(self._renew(device, request.csr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Finish what is under way."""
        await asyncio.gather(*self._tasks)

    async def _renew(self, device: DeviceName, csr: bytes) -> None:
        csr_hash, now = derivation.plain_hash(csr), self._parts.around.clock()
        try:
            chain, issued = await self._parts.stores.database.writer.run(
                lambda connection: self._grant(connection, device, csr, now)
            )
        except Refused as error:
            _log.info("No new certificate for %s: %s", device, error, extra={"action": "renewal_refused"})
            self._parts.outbound.send(device, [payloads.RenewalRefused(csr_hash, str(error))])
            return
        except Unavailable as error:
            faults.note(_log, "A renewal could not be stored", error, "renewal_store_failed")
            return
        if issued is not None:
            self._post(events.CertificateRenewed(device, issued.hash, issued.validity.not_after))
        self._parts.outbound.send(device, [payloads.Renewed(csr_hash, chain)])

    def _grant(
        self, connection: sa.Connection, device: DeviceName, csr: bytes, now: Millis
    ) -> tuple[tuple[bytes, ...], Issued | None]:
        """Issue, or find what was issued for the same CSR; runs in the writer's thread."""
        membership.check_device(connection, device)
        csr_hash = derivation.plain_hash(csr)
        row = registry.certificate_for(connection, device, csr_hash)
        if row is not None:
            return membership.chain_of(row), None
        key = certificates.read_request(csr)
        issued = self._parts.stores.ring.issue_device(device, key, now)
        membership.enter(connection, device, csr_hash, issued)
        entry = audit.Entry(now, "renewal", "certificate.renew", device, f"certificate {issued.hash.hex()}")
        audit.append(connection, [entry])
        return issued.chain, issued

"""Keeps the device's certificate fresh: asks at half its life, takes the answer, tries it out.

The key and CSR are stored before they are sent, and the old identity stays until the new one has
opened a session. Asking again is always safe.
"""

import logging

from qfleet_agent.link.handshakes import Handshakes
from qfleet_wire.channel import renewal
from qfleet_wire.channel.derivation import Random
from qfleet_wire.errors import InvalidKey, Untrusted
from qfleet_wire.payloads import RenewalRefused, Renewed, RenewRequest

ASK_AGAIN_S = 300.0
"""How long an answer may take before the request is sent again."""
LOOK_S = 3600.0
"""How often the certificate's age is looked at."""

log = logging.getLogger(__name__)


class Renewals:
    """The renewal of one device's certificate."""

    def __init__(self, handshakes: Handshakes, random: Random) -> None:
        self._handshakes = handshakes
        self._random = random

    @property
    def waits(self) -> bool:
        """Whether a request has begun and its answer is missing."""
        following = self._handshakes.identities.following
        return following is not None and not following.chain

    async def request(self) -> RenewRequest | None:
        """Return the request to send now; None when the certificate is young enough."""
        handshakes = self._handshakes
        if handshakes.identities.following is None:
            peer = handshakes.own.peer
            if not renewal.due(peer.validity, handshakes.clock.now(), jitter(peer.certificate_hash)):
                return None
            await handshakes.keep(renewal.begin(handshakes.identities, self._random))
            log.info(
                "The certificate is at half its life; a new one is asked for.", extra={"action": "renew"}
            )
        following = handshakes.identities.following
        assert following is not None
        return None if following.chain else RenewRequest(following.csr)

    async def take(self, answer: Renewed | RenewalRefused) -> bool:
        """Take an answer in; True when a new session should be opened with the new certificate."""
        following = self._handshakes.identities.following
        if following is None or following.chain or answer.csr_hash != following.csr_hash:
            return False
        if isinstance(answer, RenewalRefused):
            log.warning(
                "The certificate was not renewed: %s", answer.reason, extra={"action": "renew-refused"}
            )
            return False
        try:
            renewed = self._handshakes.credentials(answer.chain)
        except (Untrusted, InvalidKey) as error:
            log.warning("A renewed certificate is not valid: %s", error, extra={"action": "renew-invalid"})
            return False
        if renewed.identity != self._handshakes.own.identity:
            log.warning("A renewed certificate is for another device.", extra={"action": "renew-invalid"})
            return False
        identities = self._handshakes.identities
        await self._handshakes.keep(renewal.granted(identities, answer.csr_hash, answer.chain))
        return True


def jitter(certificate_hash: bytes) -> float:
    """Draw a number in [-1, 1] once per certificate, from its hash, so that a restart changes nothing."""
    return int.from_bytes(certificate_hash[:4], "big") / 2**31 - 1

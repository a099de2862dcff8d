"""Opens sessions: resumes where it can, says a full hello where it must, remembers what was proved.

What must not be forgotten is stored before anything is sent that rests on it: a resumption secret,
and that a pre-shared key has served, before the first message of the session. A hello alone uses up
no key, or a controller that is away would drain the ring. An answer that does not verify changes
nothing; the true one may still come.
"""

import asyncio
import logging
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from qfleet_agent import clock
from qfleet_agent.journal import keepsake, vault
from qfleet_agent.journal.journal import Journal
from qfleet_agent.journal.keepsake import Keepsake
from qfleet_agent.journal.layout import Name
from qfleet_agent.journal.membership import Membership
from qfleet_agent.link.supply import MIXED_DELIVERED, Supply, kind_of
from qfleet_wire import codec
from qfleet_wire.channel import authority, frames, initiator, renewal, resumption
from qfleet_wire.channel import clock as bounds
from qfleet_wire.channel.authority import Authority, Credentials
from qfleet_wire.channel.derivation import Random
from qfleet_wire.channel.initiator import Attempt, Circumstances, Established, ResumeAttempt, Standing
from qfleet_wire.channel.preshared import PresharedKey, Ring
from qfleet_wire.channel.renewal import Identities, StoredIdentity
from qfleet_wire.errors import ResumptionUnusable, SuiteUnavailable
from qfleet_wire.names import Millis

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Remembered:
    """What the device has stored of its fleet, its keys and its last session."""

    membership: Membership
    identities: Identities = field(repr=False)
    standing: Standing
    resumption: resumption.State | None
    ring: Ring = field(repr=False)
    supply: Supply = field(default_factory=Supply)
    mixed: str = ""
    """What the session's last full handshake mixed in, in a word of ``supply.kind_of``."""


class Handshakes:
    """The device's handshakes, one at a time."""

    def __init__(
        self,
        remembered: Remembered,
        journal: Journal,
        *,
        state: Path,
        circumstances: Circumstances,
        random: Random,
    ) -> None:
        """Load the identity in use.

        Raises:
            Untrusted: the stored identity is not of this fleet, or the record was altered.
            InvalidKey: the stored key is damaged.
        """
        self._remembered = remembered
        self._journal = journal
        self._folder = state
        self._circumstances = circumstances
        self._random = random
        membership = remembered.membership
        self.authority: Authority = authority.read_record(membership.authority, membership.authority_hash)
        self._attempt: Attempt | ResumeAttempt | None = None
        self._failures = 0
        self._refused_keys: set[str] = set()
        self.own = self._credentials(remembered.identities.current)
        """The identity of the session that stands, or of the next one."""
        self.clock = clock.Clock(self._bound())

    @property
    def membership(self) -> Membership:
        """Which fleet, region and device this is."""
        return self._remembered.membership

    @property
    def epoch(self) -> int:
        """The highest epoch of a controller that has answered a handshake."""
        return self._remembered.standing.epoch

    @property
    def standing(self) -> Standing:
        """What is known of time and of revoked certificates."""
        return self._remembered.standing

    @property
    def is_out_of_keys(self) -> bool:
        """Whether no pre-shared key is left that has not served."""
        return not self._remembered.ring.unused

    @property
    def quantum_key(self) -> str:
        """Whether a key of a key delivery stands behind the session, in words; empty: none is wanted."""
        return self._remembered.supply.in_words(self._remembered.mixed)

    @property
    def resuming(self) -> bool:
        """Whether the attempt that waits is a resumption."""
        return isinstance(self._attempt, ResumeAttempt)

    @property
    def identities(self) -> Identities:
        """Keys and certificates; ``keep`` changes them."""
        return self._remembered.identities

    async def keep(self, identities: Identities) -> None:
        """Store other keys and certificates, then use them."""
        await asyncio.to_thread(vault.save, self._folder, identities)
        self._remembered.identities = identities

    def credentials(self, chain: tuple[bytes, ...]) -> Credentials:
        """Check a renewed chain against the key that it was asked for; raises ``Untrusted``."""
        following = self.identities.following
        assert following is not None
        return authority.credentials(following.seed, chain, self.authority)

    async def ask(self) -> bytes:
        """``begin``, with a key from the key delivery where a full hello will want one."""
        if self._remembered.supply.wanted and not self._may_resume(self._next_own()):
            await self._remembered.supply.ready()
        return self.begin()

    def begin(self) -> bytes:
        """Return the frame that asks for a session, with the keys that are at hand.

        Raises:
            SuiteUnavailable, PresharedKeyMissing: the profile demands what this device lacks.
        """
        own = self._next_own()
        self._attempt = self._resume(own) or self._hello(own)
        return self._attempt.frame

    def _next_own(self) -> Credentials:
        # A renewed identity that does not open a session must not cut the device off.
        renewed = self.identities.following is not None and self._failures % 2 == 0
        return self._credentials(self.identities.to_open if renewed else self.identities.current)

    def failed(self) -> None:
        """Give the attempt up: the next one goes another way, by full hello or other identity."""
        self._attempt = None
        self._failures += 1

    def refused(self, refusal: frames.Refusal) -> bool:
        """Whether a refusal is for the attempt that waits; a pre-shared key that it refuses goes last.

        Anyone can send one, so the key has not served because of it: its turn comes again.
        """
        attempt = self._attempt
        if attempt is None or frames.frame_hash(attempt.frame) != refusal.request:
            return False
        if refusal.code == "preshared-key" and isinstance(attempt, Attempt) and attempt.preshared:
            self._refused_keys.add(attempt.preshared.id)
            self._remembered.supply.refused(attempt.preshared.id)
        return True

    async def finish(self, frame: bytes) -> Established | None:
        """Judge an answer; None if none is waited for.

        Raises:
            AnotherAnswer: it answers another attempt.
            Refused: it does not verify; the attempt stands.
        """
        attempt, now = self._attempt, self.clock.now()
        if attempt is None:
            return None
        standing = self._remembered.standing
        if isinstance(attempt, Attempt):
            established = initiator.finish(attempt, frame, standing, now=now)
            self.own = attempt.own
            served = attempt.preshared
        else:
            established = initiator.finish_resume(attempt, frame, standing, now=now)
            served = None
        mixed = kind_of(served) if isinstance(attempt, Attempt) else self._remembered.mixed
        self._attempt, self._failures = None, 0
        await self._store(established, served, mixed)
        return established

    async def _store(self, established: Established, served: PresharedKey | None, mixed: str) -> None:
        stored = {
            Name.RESUMPTION: resumption.write(established.state),
            Name.STANDING: codec.encode(established.standing),
            Name.MIXED: mixed.encode(),
        }
        if served is not None and mixed == MIXED_DELIVERED:
            # It was given once and stands in memory alone: no restart can bring it back.
            self._remembered.supply.served(served.id)
        elif served is not None:
            ring = self._remembered.ring
            ring.take(served.id)
            stored[Name.USED_PRESHARED_KEYS] = "\n".join(sorted(ring.used)).encode()
        try:
            await self._journal.put(stored)
        except sqlite3.OperationalError as error:
            if served is not None:
                raise  # a key that nobody knows to have served would serve again
            # A full disk must not cut the device off; after a restart the next hello is a full one.
            log.warning("The session cannot be remembered: %s", error, extra={"action": "session-unsaved"})
        self._remembered.mixed = mixed
        if served is not None and mixed != MIXED_DELIVERED and self.is_out_of_keys:
            log.warning("The last pre-shared key has served.", extra={"action": "preshared-keys-spent"})
        await self._keep_twice(established.standing)
        self._remembered.standing = established.standing
        self._remembered.resumption = established.state
        self.clock.raise_to(established.standing.bound)
        proven = renewal.opened(self.identities, established.state.device_certificate)
        if proven is not self.identities:
            await self.keep(proven)
            log.info("The renewed certificate has opened a session.", extra={"action": "identity-changed"})

    async def _keep_twice(self, standing: Standing) -> None:
        """Keep what controllers have proved beside the journal too; seldom more than a comparison."""
        known = self._remembered.standing
        if (standing.revocations, standing.epoch) == (known.revocations, known.epoch):
            return
        try:
            await asyncio.to_thread(keepsake.save, self._folder, Keepsake(self.membership, standing))
        except OSError as error:
            log.warning("The second copy cannot be written: %s", error, extra={"action": "copy-unsaved"})

    def _may_resume(self, own: Credentials) -> bool:
        """Whether ``_resume`` would come to an attempt."""
        state, circumstances = self._resumable(), self._circumstances
        if state is None:
            return False
        why_not = initiator.why_not_resume(state, own, circumstances.security, self._remembered.standing)
        return why_not is None

    def _resumable(self) -> resumption.State | None:
        state = self._remembered.resumption
        if self._remembered.supply.wanted and self._remembered.mixed != MIXED_DELIVERED:
            # A session without the key that is wanted has no descendants: the supply may be back.
            return None
        # A resumption that was lost must not be the last one, and the controller may have forgotten
        # the secret: every other attempt is a full hello. While a renewed identity takes the even
        # attempts and no key is left for a hello, only the odd ones can resume.
        odd = self._failures % 2 == 1
        if state is None or (odd and not (self._keyless and self.identities.following is not None)):
            return None
        return state

    def _resume(self, own: Credentials) -> ResumeAttempt | None:
        state = self._resumable()
        if state is None:
            return None
        try:
            return initiator.resume(
                state,
                own,
                self._remembered.standing,
                circumstances=self._circumstances,
                random=self._random,
            )
        except (ResumptionUnusable, SuiteUnavailable) as error:
            log.info("%s.", error, extra={"action": "full-handshake"})
            return None

    @property
    def _keyless(self) -> bool:
        """Whether a full hello needs a pre-shared key and each one has served or was refused."""
        left = any(key.id not in self._refused_keys for key in self._remembered.ring.unused)
        return self._circumstances.security.require_preshared_key and not left

    def _hello(self, own: Credentials) -> Attempt:
        supply = self._remembered.supply
        delivered = supply.offered() if supply.wanted else None
        key = delivered or self._next_key()
        return initiator.hello(own, self._circumstances, preshared=key, random=self._random)

    def _next_key(self) -> PresharedKey | None:
        """Return the same key until it has served or is refused; refused ones again after the others."""
        unused = self._remembered.ring.unused
        if all(key.id in self._refused_keys for key in unused):
            self._refused_keys.clear()
        return next((key for key in unused if key.id not in self._refused_keys), None)

    def _credentials(self, identity: StoredIdentity) -> Credentials:
        return authority.credentials(identity.seed, identity.chain, self.authority)

    def _bound(self) -> Millis:
        bound = bounds.lower_bound(
            stored=self._remembered.standing.bound,
            build=clock.RELEASED,
            own_not_before=self.own.peer.validity.not_before,
        )
        standing = self._remembered.standing
        self._remembered.standing = Standing(bound, standing.revocations, standing.epoch)
        return bound

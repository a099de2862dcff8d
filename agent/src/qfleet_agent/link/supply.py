"""Keys of the local key delivery (QKD) for sessions: one in hand, offered until it serves or is refused.

The key delivery gives each key once, and memory alone holds it here: a key that was taken and did not serve
is lost with the process, never used for something else. The controller takes the same key from the key
delivery at its own site, by the ID in the hello.
"""

import asyncio
import logging
from collections.abc import Callable

from qfleet_wire.channel.preshared import DELIVERED, PresharedKey
from qfleet_wire.errors import KeyNotDelivered, PresharedKeyMissing
from qfleet_wire.key_delivery import Key
from qfleet_wire.profile import Mixing

log = logging.getLogger(__name__)


class Supply:
    """What sessions mix in, by what the profile demands.

    Args:
        demand: Of the profile.
        take: Takes a new key from the key delivery, blocking; None where none is configured.
    """

    def __init__(self, demand: Mixing = "off", take: Callable[[], Key] | None = None) -> None:
        # Whoever configures a key delivery wants its keys.
        self.demand: Mixing = "prefer" if take is not None and demand == "off" else demand
        self._take = take
        self._held: PresharedKey | None = None
        self._passes = False
        self.trouble = "" if take is not None else "no key delivery is configured ([channel.qkd])"
        """Why there was no key when one was wanted last."""

    @property
    def wanted(self) -> bool:
        """Whether sessions shall mix a key of the key delivery."""
        return self.demand != "off"

    async def ready(self) -> None:
        """Have a key in hand if one is to be had; what hinders it stands in ``trouble``."""
        if self._held is not None or self._take is None or self._passes:
            return
        try:
            key = await asyncio.to_thread(self._take)
        except KeyNotDelivered as error:
            self._troubled(str(error))
            return
        self._held = PresharedKey(f"{DELIVERED}{key.id}", key.secret)

    def offered(self) -> PresharedKey | None:
        """The key for the next hello; None where the demand allows to go on without.

        Raises:
            PresharedKeyMissing: The profile requires one, and there is none.
        """
        self._passes = False
        if self._held is None and self.demand == "require":
            raise PresharedKeyMissing(f"the profile requires a key of the key delivery: {self.trouble}")
        return self._held

    def served(self, key_id: str) -> None:
        """A session stands on the key: it is never offered again."""
        self._drop(key_id)
        self.trouble = ""

    def refused(self, key_id: str) -> None:
        """The controller has no such key: the next hello takes another, or goes without where it may."""
        if self._held is None or self._held.id != key_id:
            return
        self._drop(key_id)
        self._troubled(f"the controller does not get key {key_id.removeprefix(DELIVERED)!r}")
        self._passes = self.demand == "prefer"

    def in_words(self, mixed: str) -> str:
        """What the operator shall know of sessions and keys; empty where no key is wanted."""
        if not self.wanted:
            return ""
        if mixed == MIXED_DELIVERED:
            return f"mixed in ({self.demand})"
        return f"NOT mixed in ({self.demand}): {self.trouble or 'no session was opened with one yet'}"

    def _drop(self, key_id: str) -> None:
        if self._held is not None and self._held.id == key_id:
            self._held = None

    def _troubled(self, text: str) -> None:
        if text != self.trouble:
            log.warning("No key for the session: %s", text, extra={"action": "no-delivered-key"})
        self.trouble = text


MIXED_DELIVERED = "delivered"


def kind_of(key: PresharedKey | None) -> str:
    """What a session mixed in, in one word."""
    if key is None:
        return "none"
    return MIXED_DELIVERED if key.id.startswith(DELIVERED) else "preshared"

"""A client of the key delivery at this end: ETSI GS QKD 014 V1.1.1, over mutual TLS. Blocking."""

import ssl
from collections.abc import Callable
from typing import NamedTuple

from qfleet_agent.errors import KeyNotDelivered
from qfleet_agent.keycalls import Caller
from qfleet_agent.wireguard.keys import Key
from qfleet_wire import errors
from qfleet_wire.key_delivery import Address


class Delivery(NamedTuple):
    """Where keys are delivered, and the SAE ID of the other rotator."""

    host: str
    port: int
    context: ssl.SSLContext
    other: str

    def new(self) -> Key:
        """Take a new key (``enc_keys``). Raises ``KeyNotDelivered``."""
        return _of_ours(self._caller.new)

    def known(self, key_id: str) -> Key:
        """Get the key that the other rotator has taken (``dec_keys``). Raises ``KeyNotDelivered``."""
        return _of_ours(lambda: self._caller.known(key_id))

    @property
    def _caller(self) -> Caller:
        return Caller(Address(self.host, self.port), self.context, self.other)


def _of_ours(call: Callable[[], Key]) -> Key:
    try:
        return call()
    except errors.KeyNotDelivered as error:
        raise KeyNotDelivered(str(error), for_good=error.for_good) from error.__cause__

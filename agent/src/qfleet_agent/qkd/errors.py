"""What goes wrong in key exchange, in the agent's exception tree: misused here, or misbehaving over there."""

from qfleet_agent.errors import LocalError, RemoteError


class ExchangeMisused(LocalError, ValueError):
    """A part of the key exchange was called with what it cannot work on."""


class ExchangeForged(RemoteError):
    """A message of the key exchange does not verify."""


class ExchangeInvalid(RemoteError, ValueError):
    """A message of the key exchange says what no honest end would say."""

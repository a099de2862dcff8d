"""What a relay refuses."""

from qfleet_agent.errors import LocalError, RemoteError


class RelayMisused(LocalError, ValueError):
    """A relay cannot be done like this."""


class RelayRefused(RemoteError, ValueError):
    """A message of a relay must not be accepted."""


class RelayForged(RelayRefused):
    """A message of a relay does not bear its tag: somebody alters what goes along the route."""

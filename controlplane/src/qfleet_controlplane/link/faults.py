"""Faults that come with any outage, in one sentence each: a traceback would say nothing more.

A lost lease is no fault at all: another controller has taken the region over, and answers instead.
"""

import logging

from qfleet_controlplane.errors import Unavailable
from qfleet_controlplane.store.leases import LeaseLost


def note(log: logging.Logger, consequence: str, error: Unavailable, action: str) -> None:
    """Log what did not happen and why; ``consequence`` is a clause without its full stop."""
    level = logging.INFO if isinstance(error, LeaseLost) else logging.WARNING
    log.log(level, "%s: %s", consequence, error, extra={"action": action})

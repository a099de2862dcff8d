"""The version of the journal's tables, and the names of its single values; no I/O."""

from enum import StrEnum

VERSION = 1
"""``PRAGMA user_version`` of a journal that this agent can use."""


class Name(StrEnum):
    """A single value in the table ``meta``."""

    IDENTITY = "identity"
    """The identity in use: names, certificate chain, key file, broker login."""
    NEXT_IDENTITY = "next-identity"
    """A renewed identity that has not opened a session yet."""
    ENROLMENT = "enrolment"
    """An enrolment request that may have been sent; deleted with its answer."""
    RENEWAL = "renewal"
    """A renewal request that may have been sent."""
    RESUMPTION = "resumption"
    REVOCATION = "revocation"
    EPOCH = "epoch"
    CLOCK = "clock"
    """The latest time that the controller proved, in milliseconds."""
    CALIBRATION = "calibration"
    USED_PRESHARED_KEYS = "used-preshared-keys"

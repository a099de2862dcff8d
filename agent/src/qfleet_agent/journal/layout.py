"""The version of the journal's tables, and the names of its single values; no I/O."""

from enum import StrEnum

VERSION = 1
"""``PRAGMA user_version`` of a journal that this agent can use.

It rises only when an older agent could not use the journal any more; a table that it does not know
is no such reason, so that an update can be taken back.
"""
ADDED = frozenset({"telemetry"})
"""Tables that journals of this version may lack: a newer agent adds them."""


class Name(StrEnum):
    """A single value in the table ``meta``."""

    MEMBERSHIP = "membership"
    """Names, broker login and authority record: an encoded ``membership.Membership``."""
    RESUMPTION = "resumption"
    """How to resume the last session: an encoded ``resumption.State``."""
    STANDING = "standing"
    """What controllers have proved: an encoded ``initiator.Standing``."""
    EPOCH = "epoch"
    """The highest epoch of a message, in decimal."""
    TELEMETRY = "telemetry"
    """Numbers of the telemetry's ring: an encoded ``store.Numbers``."""
    SET_ASIDE = "set-aside"
    """What is known of the last journal that was set aside: an encoded ``damage.SetAside``."""
    CALIBRATION = "calibration"
    """How fast the engines are here: an encoded ``daemon.speed.Measured``."""
    SITE = "site"
    """What the cluster was when it was last seen: an encoded ``workers.bridge_frames.Site``."""
    WAYS = "ways"
    """What ways with a budget have carried this month: an encoded ``link.helm.Used``."""
    CONTACTS = "contacts"
    """When ways are there by the control plane's plan: an encoded ``payloads.Contacts``."""
    MIXED = "mixed"
    """What the last full handshake mixed in, in a word of ``link.supply.kind_of``."""
    USED_PRESHARED_KEYS = "used-preshared-keys"
    """Ids of pre-shared keys that have served, one a line."""

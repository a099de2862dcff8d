"""The store as the link uses it, and the authority's keys."""

from dataclasses import dataclass

from qfleet_controlplane.authority.keyring import Keyring
from qfleet_controlplane.store.database import Database


@dataclass(frozen=True, slots=True)
class Stores:
    """Shared by the doers of one link."""

    database: Database
    ring: Keyring

"""Every table of the control plane, in one metadata.

Types are the ones that SQLite and PostgreSQL share. Times are milliseconds since the epoch. No table
holds a secret in clear: tokens by hash, session and invitation secrets as the authority sealed them.
"""

from qfleet_controlplane.store.tables import control, fleet, keys, network, record, work
from qfleet_controlplane.store.tables.metadata import METADATA

__all__ = ["METADATA", "control", "fleet", "keys", "network", "record", "work"]

"""Devices, and what the authority has granted them.

``devices`` is written by the service only. The other tables are the registry's.
"""

import sqlalchemy as sa

from qfleet_controlplane.store.tables.metadata import METADATA

devices = sa.Table(
    "devices",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("trust", sa.Float, nullable=False),
    sa.Column("last_seen", sa.BigInteger),
    sa.Column("certificate_hash", sa.LargeBinary),
    sa.Column("certificate_expires", sa.BigInteger),
    sa.Column("announcement", sa.LargeBinary),
    sa.Column("heartbeat", sa.LargeBinary),
    sa.Column("region", sa.Text, nullable=False, server_default=""),
    sa.Column("confirmed", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("contradicted", sa.Float, nullable=False, server_default="0"),
    sa.Column("judged", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("suspicion", sa.Float, nullable=False, server_default="0"),
)
"""Rows are never deleted: a revoked name stays revoked. ``announcement`` and ``heartbeat`` are MessagePack.

``trust`` follows from the last four (``planning.trust``); it stands here for whoever reads the table.
"""

telemetry = sa.Table(
    "telemetry",
    METADATA,
    sa.Column("device", sa.Text, primary_key=True),
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
"""What devices measured, numbered by each device; ``body`` is a MessagePack payload."""

invitations = sa.Table(
    "invitations",
    METADATA,
    sa.Column("token_id", sa.LargeBinary, primary_key=True),
    sa.Column("device", sa.Text, nullable=False),
    sa.Column("secret", sa.LargeBinary, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("expires", sa.BigInteger, nullable=False),
    sa.Column("used_csr_hash", sa.LargeBinary),
    sa.Column("answer", sa.LargeBinary),
    sa.Column("region", sa.Text, nullable=False, server_default=""),
    sa.Index(None, "device"),
)
"""One-time join tokens. ``used_csr_hash`` is set once; ``answer`` is what the same CSR gets again."""

certificates = sa.Table(
    "certificates",
    METADATA,
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    sa.Column("serial", sa.Text, nullable=False),
    sa.Column("device", sa.Text, nullable=False),
    sa.Column("csr_hash", sa.LargeBinary, nullable=False),
    sa.Column("chain", sa.LargeBinary, nullable=False),
    sa.Column("not_before", sa.BigInteger, nullable=False),
    sa.Column("not_after", sa.BigInteger, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Index(None, "device", "status"),
    sa.Index(None, "csr_hash"),
)

sessions = sa.Table(
    "sessions",
    METADATA,
    sa.Column("device", sa.Text, primary_key=True),
    sa.Column("current", sa.LargeBinary, nullable=False),
    sa.Column("previous", sa.LargeBinary),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
)
"""Resumption secrets, the present and, until confirmed, the one before."""

api_tokens = sa.Table(
    "api_tokens",
    METADATA,
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("revoked", sa.BigInteger),
    sa.UniqueConstraint("name"),
)

meta = sa.Table(
    "meta",
    METADATA,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),
)
"""Small facts of the installation by name."""

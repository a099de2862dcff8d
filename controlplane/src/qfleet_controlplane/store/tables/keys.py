"""Orders to devices' key processes and their reports. Bodies are opaque here and hold no key."""

import sqlalchemy as sa

from qfleet_controlplane.store.tables.metadata import METADATA

key_orders = sa.Table(
    "key_orders",
    METADATA,
    sa.Column("device", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
"""What a key process has not taken yet."""

key_reports = sa.Table(
    "key_reports",
    METADATA,
    sa.Column("device", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("received", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
"""What a key process has reported and nobody has read yet."""

key_sessions = sa.Table(
    "key_sessions",
    METADATA,
    sa.Column("session", sa.Text, primary_key=True),
    sa.Column("link", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("key_sessions_by_link", "link", "created"),
    sa.Index("key_sessions_by_status", "status"),
)
"""Sessions of links, and what their ends said; never a key."""

key_relays = sa.Table(
    "key_relays",
    METADATA,
    sa.Column("relay", sa.Text, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("key_relays_by_status", "status"),
)
"""Relays and their routes."""

key_asks = sa.Table(
    "key_asks",
    METADATA,
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("request", sa.LargeBinary, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
)
"""Under which key a session or a relay was asked for, as its SHA-256, and what it asked for as JSON."""

key_alarms = sa.Table(
    "key_alarms",
    METADATA,
    sa.Column("alarm", sa.Text, primary_key=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("standing", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
"""What was seen on links and routes; ``standing`` is 1 until an operator has mended the link, then 0."""

key_stocks = sa.Table(
    "key_stocks",
    METADATA,
    sa.Column("device", sa.Text, primary_key=True),
    sa.Column("received", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
"""How much key each device said last that it has, by peer."""

key_settings = sa.Table(
    "key_settings",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)
"""Numbers of the authority of keys. Whoever decides counts ``turns`` first, so that one decides at a time."""

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

"""Who leads which region, and what controllers ask of each other.

Times here are milliseconds of the database's own clock (``store.clock``), never of a process: what
they decide must be the same for all controllers.
"""

import sqlalchemy as sa

from qfleet_controlplane.store.tables.metadata import METADATA

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""What SQLite numbers by itself must be called an integer there."""

regions = sa.Table(
    "regions",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("controller", sa.Text, nullable=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("expires", sa.BigInteger, nullable=False),
    sa.Column("facts", sa.LargeBinary),
    sa.Column("facts_at", sa.BigInteger),
)
"""Leases. ``facts``: what the holder told of the region with its last renewal, for placement."""

controllers = sa.Table(
    "controllers",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("expires", sa.BigInteger, nullable=False),
)
"""Controllers that run, or did; live while ``expires`` lies ahead."""

orders = sa.Table(
    "orders",
    METADATA,
    sa.Column("id", _NUMBER, primary_key=True),
    sa.Column("region", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index(None, "region", "id"),
    sqlite_autoincrement=True,
)
"""Inboxes of regions; a row goes in the commit that holds its effects. Numbers are never used twice.

``subject`` is the job, or the device.
"""

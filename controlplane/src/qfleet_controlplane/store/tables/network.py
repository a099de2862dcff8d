"""The quantum network: one scenario is loaded at a time, and its twin runs on one controller at a time."""

import sqlalchemy as sa

from qfleet_controlplane.store.tables.metadata import METADATA

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""What SQLite numbers by itself must be called an integer there."""

networks = sa.Table(
    "networks",
    METADATA,
    sa.Column("id", _NUMBER, primary_key=True),
    sa.Column("loaded", sa.BigInteger, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("text", sa.LargeBinary, nullable=False),
    sa.Column("survey", sa.LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
"""The scenario as it was given, and what follows from it. Loading another takes a new number."""

twins = sa.Table(
    "twins",
    METADATA,
    sa.Column("network", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("running", sa.BigInteger, nullable=False),
    sa.Column("speed", sa.Float, nullable=False),
    sa.Column("saved", sa.BigInteger, nullable=False),
    sa.Column("state", sa.LargeBinary, nullable=False),
)
"""A twin as it was at ``saved``, an instant of the wall clock in milliseconds; ``running`` is 0 or 1."""

network_orders = sa.Table(
    "network_orders",
    METADATA,
    sa.Column("id", _NUMBER, primary_key=True),
    sa.Column("network", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
"""What was asked of a twin and is not done yet; a row goes in the commit that holds its effect."""

"""The quantum network: the scenario that is loaded, its twin, and what is asked of it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables; no network is loaded."""
    op.create_table(
        "networks",
        sa.Column("id", _NUMBER, primary_key=True),
        sa.Column("loaded", sa.BigInteger, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("text", sa.LargeBinary, nullable=False),
        sa.Column("survey", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "twins",
        sa.Column("network", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("running", sa.BigInteger, nullable=False),
        sa.Column("speed", sa.Float, nullable=False),
        sa.Column("saved", sa.BigInteger, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "network_orders",
        sa.Column("id", _NUMBER, primary_key=True),
        sa.Column("network", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Forget the network, which can be loaded again."""
    for name in ("network_orders", "twins", "networks"):
        op.drop_table(name)

"""What the authority of keys decided: sessions, relays, alarms, and how much key devices have."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; nothing was decided."""
    op.create_table(
        "key_sessions",
        sa.Column("session", sa.Text, primary_key=True),
        sa.Column("link", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("key_sessions_by_link", "key_sessions", ["link", "created"])
    op.create_index("key_sessions_by_status", "key_sessions", ["status"])
    op.create_table(
        "key_relays",
        sa.Column("relay", sa.Text, primary_key=True),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("key_relays_by_status", "key_relays", ["status"])
    op.create_table(
        "key_alarms",
        sa.Column("alarm", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("standing", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "key_stocks",
        sa.Column("device", sa.Text, primary_key=True),
        sa.Column("received", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "key_settings",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Forget what was decided."""
    for name in ("key_settings", "key_stocks", "key_alarms", "key_relays", "key_sessions"):
        op.drop_table(name)

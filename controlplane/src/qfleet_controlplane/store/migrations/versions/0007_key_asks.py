"""Under which keys of their callers' sessions and relays were asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; what was asked for before had no key."""
    op.create_table(
        "key_asks",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("request", sa.LargeBinary, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Forget the keys; what was asked for stays."""
    op.drop_table("key_asks")

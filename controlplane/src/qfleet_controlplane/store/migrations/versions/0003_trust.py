"""What results have shown of each device.

Trust that was counted otherwise before is not taken over: it starts anew from one half.
"""

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give devices their records."""
    whole, real = sa.BigInteger, sa.Float
    for name, kind in (("confirmed", whole), ("contradicted", real), ("judged", whole), ("suspicion", real)):
        op.add_column("devices", sa.Column(name, kind(), nullable=False, server_default="0"))
    op.execute("UPDATE devices SET trust = 0.5")


def downgrade() -> None:
    """Refuse: copies of tasks have states that the version before does not know."""
    raise CommandError("schema 0003 cannot be taken back: restore a backup from before the upgrade")

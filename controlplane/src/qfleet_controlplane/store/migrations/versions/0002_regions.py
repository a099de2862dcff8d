"""Regions: leases, shares of jobs, orders between controllers, and telemetry.

What was one region before gets the region ''; ``store.registry.adopt_region`` names it.
"""

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the new tables, move the states of jobs, and give rows their region."""
    _control()
    _shares()
    for table in ("tasks", "devices", "invitations"):
        op.add_column(table, sa.Column("region", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "telemetry",
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("device", "sequence", name=op.f("pk_telemetry")),
    )


def downgrade() -> None:
    """Refuse: jobs over several regions have no place in the schema before."""
    raise CommandError("schema 0002 cannot be taken back: restore a backup from before the upgrade")


def _control() -> None:
    op.create_table(
        "regions",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("controller", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("facts", sa.LargeBinary(), nullable=True),
        sa.Column("facts_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_regions")),
    )
    op.create_table(
        "controllers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_controllers")),
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_orders_region_id"), "orders", ["region", "id"], unique=False)


def _shares() -> None:
    op.create_table(
        "shares",
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False, server_default=""),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("finished", sa.BigInteger(), nullable=True),
        sa.Column("view", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["job"], ["jobs.id"], name=op.f("fk_shares_job_jobs")),
        sa.PrimaryKeyConstraint("job", "region", name=op.f("pk_shares")),
    )
    op.execute(
        "INSERT INTO shares (job, region, status, created, finished, view) "
        "SELECT job, '', status, created, finished, view FROM job_states"
    )
    for columns in (["created", "job"], ["status", "created", "job"], ["region", "status"]):
        op.create_index(op.f(f"ix_shares_{'_'.join(columns)}"), "shares", columns, unique=False)
    op.drop_table("job_states")

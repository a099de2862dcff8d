"""How Alembic reaches the database: by the connection that ``store.migrate`` hands over."""

from alembic import context

from qfleet_controlplane.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=False,  # the caller's transaction holds all of it
)
context.run_migrations()

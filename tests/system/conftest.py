"""The database of fleets with several controllers."""

from tests.integration.postgres import postgresql, postgresql_server

__all__ = ["postgresql", "postgresql_server"]

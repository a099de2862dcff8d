"""``run``: the daemon in the foreground, logging to standard error."""

import asyncio
import logging
import sys

from qfleet_controlplane.daemon import daemon
from qfleet_controlplane.settings import Settings


def run(settings: Settings) -> int:
    """Run until stopped by a signal."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(message)s [%(action)s]", defaults={"action": "-"})
    )
    logging.basicConfig(level=settings.log.level.upper(), handlers=[handler])
    # These speak of every request and packet; their warnings are enough.
    for name in ("uvicorn", "mqtt", "alembic", "sqlalchemy", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    asyncio.run(daemon.run(settings))
    return 0

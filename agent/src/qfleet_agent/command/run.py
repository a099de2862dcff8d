"""``qfleet-agent run``: the daemon."""

import asyncio
import os

from qfleet_agent.command import exits, logs
from qfleet_agent.daemon import assembly
from qfleet_agent.notify import Notifier
from qfleet_agent.settings import Settings


def run(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT."""
    logs.start(settings.log_level)
    os.umask(0o077)
    try:
        asyncio.run(assembly.run(settings, Notifier(os.environ)))
    except BaseExceptionGroup as group:
        raise _first(group) from group
    return exits.FINE


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error

"""``qfleet-agent wireguard``: rotate the preshared key of a WireGuard peer."""

import asyncio
import os
from pathlib import Path

from qfleet_agent.command import exits, logs
from qfleet_agent.errors import AgentError, PartEnded
from qfleet_agent.notify import Notifier
from qfleet_agent.wireguard import assembly, settings


def run(path: Path | None) -> int:
    """Rotate until SIGTERM or SIGINT."""
    rotation = settings.load(path)
    logs.start(rotation.log_level)
    os.umask(0o077)
    try:
        asyncio.run(assembly.run(rotation, Notifier(os.environ)))
    except PartEnded as error:
        raise error.__cause__ if isinstance(error.__cause__, AgentError) else error from error
    return exits.FINE

"""``qfleet-agent enrol``: join a fleet."""

import asyncio
import datetime as dt
import sys
from pathlib import Path

from qfleet_agent import __version__, enrolment, status
from qfleet_agent.command import exits, logs
from qfleet_agent.daemon import place
from qfleet_agent.errors import TokenInvalid
from qfleet_agent.settings import Settings
from qfleet_wire.channel import invitation
from qfleet_wire.channel.enrolment import Facts

_MOST_CHARACTERS = 8192


def run(settings: Settings, argument: str, file: Path | None) -> int:
    """Enrol this device and say what it is now."""
    logs.start(settings.log_level)
    token = invitation.read(_text(argument, file))
    settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with status.Lock(settings.state):
        joined = asyncio.run(enrolment.enrol(token, settings, facts(settings)))
    held = joined.membership
    until = dt.datetime.fromtimestamp(joined.until / 1000, dt.UTC)
    sys.stdout.write(
        f"This device is {held.device} of fleet {held.fleet}, region {held.region}.\n"
        f"Its certificate ends on {until:%Y-%m-%d} and renews itself before.\n"
        "Start it: qfleet-agent run, or systemctl enable --now qfleet-agent\n"
    )
    return exits.FINE


def facts(settings: Settings) -> Facts:
    """Return what the device says of itself when it joins."""
    here = place.survey(settings)
    return Facts(
        machine=here.hardware.machine,
        model=", ".join(here.hardware.models)[:200],
        cores=here.hardware.cores,
        memory_bytes=here.hardware.memory_bytes,
        agent_version=__version__,
        profile=here.profile.name,
    )


def _text(argument: str, file: Path | None) -> str:
    if file is not None:
        try:
            return file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise TokenInvalid(f"the token file {file} cannot be read: {error}") from error
    if argument != "-":
        return argument
    if sys.stdin.isatty():
        sys.stderr.write("Join token (end with Enter): ")
        sys.stderr.flush()
        return sys.stdin.readline(_MOST_CHARACTERS)
    return sys.stdin.read(_MOST_CHARACTERS)

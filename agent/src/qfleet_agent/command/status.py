"""``qfleet-agent status``: what the agent last said of itself, and whether it still runs."""

import datetime as dt
import sys
from collections.abc import Iterator

import msgspec

from qfleet_agent import status
from qfleet_agent.command import exits
from qfleet_agent.journal import journal
from qfleet_agent.settings import Settings
from qfleet_agent.status import Status

_MIB = 1024 * 1024


def run(settings: Settings, *, as_json: bool) -> int:
    """Print the status; exit 1 when the agent does not run."""
    running = status.is_running(settings.state)
    last = status.read(settings.state)
    if last is not None and not running:
        # Whatever it said last: one that was killed could not say that its link is gone.
        last = msgspec.structs.replace(last, online=False, trouble="the agent does not run", running=0)
    if as_json:
        text = msgspec.json.encode({"running": running, "last": last}).decode()
    else:
        text = _words(settings, last, running=running)
    sys.stdout.write(text + "\n")
    return exits.FINE if running else exits.INTERNAL


def _words(settings: Settings, last: Status | None, *, running: bool) -> str:
    if last is None:
        enrolled = journal.path_in(settings.state).exists()
        state = "The agent is starting." if running else "The agent does not run."
        return state if enrolled else f"{state} This device is not enrolled ({settings.state})."
    link = "connected" if last.online else f"not connected ({last.trouble or 'connecting'})"
    lines = [
        f"{'Running' if running else 'Not running'}: {last.device} of {last.fleet}, region {last.region}",
        f"  link         {link}{f'; over {last.way}' if last.way else ''}",
        f"  tasks        {last.unfinished} unfinished, {last.running} of them running",
        f"  outbox       {last.outbox} results wait for the controller",
        (
            f"  journal      {_mib(last.stored_bytes)} stored, {_mib(last.reserved_bytes)} promised, "
            f"{_mib(last.disk_bytes)} at most{'; THE DISK IS FULL' if last.journal_full else ''}"
        ),
        (
            f"  profile      {last.profile}: {last.workers} workers of {_mib(last.task_memory_bytes)}, "
            f"up to {last.max_qubits} qubits"
        ),
        f"  executor     {last.executor}",
        f"  engines      {', '.join(last.engines) or 'none'}",
        f"  certificate  until {_date(last.certificate_ends)}",
        f"  as of        {_date(last.time)} (agent {last.version}, process {last.pid})",
    ]
    return "\n".join([*lines, *_notes(last)])


def _notes(last: Status) -> Iterator[str]:
    if last.quantum_key:
        yield f"  quantum key  {last.quantum_key}"
    if last.telemetry_held or last.telemetry_lost:
        yield f"  telemetry    {last.telemetry_held} samples wait, {last.telemetry_lost} are lost"
    if last.dropped:
        yield f"  dropped      {', '.join(f'{n} {why}' for why, n in sorted(last.dropped.items()))}"
    damaged = last.damaged_journal
    if damaged is not None:
        yield (
            f"  DAMAGE       a journal was set aside on {_date(damaged.at)}: {damaged.reason}; saved of it: "
            f"{damaged.saved}; it lies in {damaged.file}"
        )
    for sentence in last.reported:
        yield f"  NOTE         {sentence}"


def _mib(size: int) -> str:
    return f"{size / _MIB:.1f} MiB"


def _date(millis: int) -> str:
    return f"{dt.datetime.fromtimestamp(millis / 1000, dt.UTC):%Y-%m-%d %H:%M:%S} UTC"

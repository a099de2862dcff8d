"""Commands of the other members, found beside this one and run as processes of their own.

The client imports neither: it works where they are not installed.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from qfleet_wire import codec
from qfleet_wire.channel.auditing import Answer, Computed, Question
from qfleet_wire.channel.provenance import MOST_BYTES
from qfleet_wire.errors import RemoteError

_TIMEOUT_S = 3600.0


def audit(question: Question) -> Answer | None:
    """Ask whether parts follow from each other; None where the control plane is not installed.

    An audit that breaks is a finding: it can only be the bundle's doing.
    """
    command = _find("qfleet-controlplane")
    if command is None:
        return None
    ended = _run([command, "audit"], codec.encode(question))
    try:
        if ended.returncode == 0:
            return codec.decode(ended.stdout, Answer)
    except RemoteError:
        pass
    return Answer((("job", f"it cannot be audited: {_last_line(ended.stderr)}"),))


def compute(work: bytes) -> tuple[Computed | None, str]:
    """Run a task here; None and the reason where that cannot be done."""
    command = _find("qfleet-agent")
    if command is None:
        return None, "install qfleet-agent with its engines in this environment"
    ended = _run([command, "compute"], work)
    if ended.returncode != 0:
        return None, _last_line(ended.stderr)
    try:
        return codec.decode(ended.stdout, Computed, limit=MOST_BYTES), ""
    except RemoteError as error:
        return None, str(error)


def _find(name: str) -> str | None:
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name)


def _run(command: list[str], given: bytes) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(  # noqa: S603 - a command of ours by its path
        command, input=given, capture_output=True, check=False, timeout=_TIMEOUT_S
    )


def _last_line(text: bytes) -> str:
    lines = text.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it ended without a word"

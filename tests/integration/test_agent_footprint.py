"""What the daemon may not have in memory: engines, numbers, table printers. Children load them."""

import subprocess
import sys

FORBIDDEN = {"numpy", "qulacs", "qulacs_core", "sqlite_utils", "pandas", "rich", "typer", "stim", "scipy"}

SCRIPT = """
import sys
from qfleet_agent.command import check, enrol, run, status
sys.stdout.write("\\n".join(sorted(name.partition(".")[0] for name in sys.modules)))
"""


def test_the_daemon_imports_nothing_heavy() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True, timeout=60
    ).stdout.split()
    assert "qfleet_agent" in loaded
    assert FORBIDDEN.isdisjoint(loaded)

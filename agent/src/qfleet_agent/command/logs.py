"""Where log lines go: standard error, which systemd's journal reads."""

import logging
import os
import sys

_LEVELS = {
    logging.DEBUG: "<7>",
    logging.INFO: "<6>",
    logging.WARNING: "<4>",
    logging.ERROR: "<3>",
    logging.CRITICAL: "<2>",
}
"""Prefixes that give journald the priority of a line (sd-daemon(3))."""


class _Formatter(logging.Formatter):
    """A sentence, and the action that it is about."""

    def __init__(self, *, for_journal: bool) -> None:
        super().__init__("%(message)s" if for_journal else "%(asctime)s %(levelname)s %(message)s")
        self._for_journal = for_journal

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with its level as journald wants it where journald listens."""
        line = super().format(record)
        action = getattr(record, "action", None)
        if action is not None:
            line = f"{line} [{action}]"
        return _LEVELS.get(record.levelno, "<6>") + line if self._for_journal else line


def start(level: str) -> None:
    """Send log lines of ``level`` and above to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(for_journal="JOURNAL_STREAM" in os.environ))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)

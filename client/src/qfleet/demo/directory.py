"""The demo's directory: whose it is, what it holds, and that one demo at a time uses it.

Nothing is ever deleted from a directory that the demo did not make itself.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qfleet import errors

_MARKER = ".qfleet-demo"
_KEPT = {_MARKER, "lock"}


def default() -> Path:
    """``$XDG_STATE_HOME/qfleet/demo``, in ``~/.local/state`` where that is not set."""
    base = os.environ.get("XDG_STATE_HOME", "")
    root = Path(base) if base.startswith("/") else Path.home() / ".local" / "state"
    return root / "qfleet" / "demo"


class Directory:
    """Where a demo keeps its state, logs and the record of its processes."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self.controlplane = self.path / "controlplane"
        self.logs = self.path / "logs"
        self.record = self.path / "processes.json"

    def device(self, name: str) -> Path:
        """The directory of one device."""
        return self.path / "devices" / name

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Use the directory alone.

        Raises:
            UserError: it holds things of somebody else, or another demo uses it now.
        """
        self._make()
        with (self.path / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise errors.UserError(
                    f"a demo is running in {self.path}",
                    hint="end it with Ctrl-C there, or use --directory to run another one",
                ) from error
            yield

    def clear(self) -> None:
        """Remove what an earlier demo left here; its processes must have ended."""
        for entry in self.path.iterdir():
            if entry.name in _KEPT:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        self.logs.mkdir(mode=0o700)

    def tail(self, log: Path, lines: int = 15) -> str:
        """The last lines of a log, empty where there is none."""
        try:
            text = log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def _make(self) -> None:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            strangers = {entry.name for entry in self.path.iterdir()} - _KEPT
            if strangers and not (self.path / _MARKER).exists():
                raise errors.UserError(
                    f"{self.path} is not empty and no demo made it (it holds {min(strangers)!r})",
                    hint="give --directory a new or empty directory",
                )
            (self.path / _MARKER).touch(mode=0o600)
        except OSError as error:
            raise errors.UserError(
                f"cannot use {self.path} for the demo: {error}", hint="choose another with --directory"
            ) from error

"""What every test must leave behind: nothing.

A test fails when it leaves a child process, a thread, a file handle or an asyncio task, or when
something blocks the event loop. The checks look only at what appeared during the test, wait a
moment for what is just ending, and know nothing of the code under test.

The ``install`` marker's opt-in stands here too, so that every ring knows the option.
"""

import asyncio
import gc
import logging
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import SupportsIndex, TypeVar

import psutil
import pytest

PATIENCE_S = 5.0
"""How long what is ending may take to end, on a machine that is busy with something else."""
BUSY_S = 1.0
"""Processor time that one callback may take before it counts as blocking the loop."""
STALLED_S = 15.0
"""Wall-clock time that one callback may take; more than this is no longer a slow machine, though tests
run beside each other and start processes."""
BLOCKING = frozenset({"time.sleep", "socket.getaddrinfo", "socket.gethostbyname", "os.system"})
"""Audit events of calls that always block: mistakes in a thread that runs an event loop."""
HELPERS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
"""Processes that the standard library keeps for the rest of the interpreter's life."""

_Thing = TypeVar("_Thing")
_blocked: list[str] = []
_pending: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--install",
        action="store_true",
        help="also install wheels and boot the units under systemd in a container",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--install"):
        return
    skip = pytest.mark.skip(reason="installs packages or boots a system: opt in with --install")
    for item in items:
        if item.get_closest_marker("install") is not None:
            item.add_marker(skip)


def pytest_configure() -> None:
    """Watch the event loop of every ``asyncio.run`` from here on."""
    sys.addaudithook(_note_blocking_call)
    run, sleep = asyncio.Handle._run, time.sleep
    cancel_all = asyncio.runners._cancel_all_tasks  # type: ignore[attr-defined]  # no public door

    def timed_run(handle: asyncio.Handle) -> None:
        started, busy = time.perf_counter(), time.thread_time()
        run(handle)
        if (elapsed := time.perf_counter() - started) > BUSY_S:
            busy = time.thread_time() - busy
            if busy > BUSY_S or elapsed > STALLED_S:
                _blocked.append(f"{handle!r} ran {elapsed:.1f} s, {busy:.1f} s of it on the processor")

    def audited_sleep(seconds: float | SupportsIndex) -> None:
        sys.audit("time.sleep", seconds)  # the interpreter itself raises it from 3.13 on
        sleep(seconds)

    def noting_cancel_all(loop: asyncio.AbstractEventLoop) -> None:
        # Whatever is only just ending may end; what waits for something else was forgotten. An MQTT client
        # that was cut while it connected looks once a second whether it still has a connection.
        if tasks := asyncio.all_tasks(loop):
            _, waiting = loop.run_until_complete(asyncio.wait(tasks, timeout=1.5))
            _pending.extend(repr(task) for task in waiting)
        cancel_all(loop)

    asyncio.Handle._run = timed_run  # type: ignore[assignment, method-assign]
    time.sleep = audited_sleep
    asyncio.runners._cancel_all_tasks = noting_cancel_all  # type: ignore[attr-defined]


def _note_blocking_call(event: str, arguments: tuple[object, ...]) -> None:
    if event not in BLOCKING or asyncio._get_running_loop() is None or arguments == (0,):
        return
    frame = sys._getframe(2 if event == "time.sleep" else 1)
    _blocked.append(f"{event}{arguments!r} at {frame.f_code.co_filename}:{frame.f_lineno}")


@pytest.fixture(autouse=True)
def leaves_nothing_behind() -> Iterator[None]:
    """Fail a test that leaks, at its teardown, after all its own fixtures are closed."""
    _blocked.clear()
    _pending.clear()
    processes, threads, handles = _children(), _threads(), _handles()
    yield
    complaints = [f"the event loop was blocked: {what}" for what in _blocked]
    complaints += [f"task left pending: {what}" for what in _pending]
    left = _left_over(lambda: _children(besides=processes), processes)
    for process in left:
        complaints.append(f"process left running: {_name(process)}")
        process.kill()
    complaints += [f"thread left running: {what}" for what in _left_over(_threads, threads)]
    if _handles() - handles:
        gc.collect()
        complaints += [f"handle left open: {what[1]}" for what in _left_over(_handles, handles)]
    if complaints:
        pytest.fail("\n".join(complaints), pytrace=False)


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Take back the logging that a command set up in this process: its stream ends with its test."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    for handler in set(root.handlers).difference(handlers):
        root.removeHandler(handler)
    root.setLevel(level)


def _left_over(look: Callable[[], set[_Thing]], before: Collection[_Thing]) -> set[_Thing]:
    """What appeared and does not go away within ``PATIENCE_S``."""
    deadline = time.monotonic() + PATIENCE_S
    while (new := look().difference(before)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return new


def _children(besides: Collection[psutil.Process] = ()) -> set[psutil.Process]:
    """Descendants of this process, but not what ``besides`` started: that belongs to their owner."""
    found = set()
    for child in psutil.Process().children():
        if _counts(child):
            found.add(child)
            if child not in besides:
                found.update(filter(_counts, _descendants(child)))
    return found


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _counts(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and not any(
            helper in " ".join(process.cmdline()) for helper in HELPERS
        )
    except psutil.NoSuchProcess:
        return False


def _name(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {' '.join(process.cmdline())}"
    except psutil.NoSuchProcess:
        return str(process.pid)


def _threads() -> set[threading.Thread]:
    return set(threading.enumerate())


def _handles() -> set[tuple[str, str]]:
    """Open sockets, pipes, event queues and files, but not devices and what was deleted.

    The numbers are part of it: a handle that was closed and opened again is a new one.
    """
    found = set()
    for number in Path("/proc/self/fd").iterdir():
        try:
            target = str(number.readlink())
        except OSError:
            continue  # the listing's own handle
        # matplotlib keeps each font that it has drawn with, once for the process
        if "/mpl-data/fonts/" in target:
            continue
        if not target.startswith(("/dev/", "/proc/")) and not target.endswith(" (deleted)"):
            found.add((number.name, target))
    return found

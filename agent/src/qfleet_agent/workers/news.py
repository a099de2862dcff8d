"""Collects what happened in one turn of the event loop and tells it once."""

import asyncio
from collections.abc import Callable, Sequence

from qfleet_agent.workers import events
from qfleet_agent.workers.errors import WorkFailed
from qfleet_agent.workers.events import TaskKey

_INSIDE = ""


class News:
    """Events on their way to the owner; those of work outside the tasks go to who waits for it."""

    def __init__(self, tell: Callable[[Sequence[events.Event]], None]) -> None:
        self._tell = tell
        self._held: list[events.Event] = []
        self._waiting: dict[TaskKey, asyncio.Future[events.Finished]] = {}

    def add(self, event: events.Event) -> None:
        """Keep an event for the end of this turn."""
        self._held.append(event)

    def flush(self) -> None:
        """Tell what was kept."""
        held, self._held = self._held, []
        told = [event for event in held if event.key[0] != _INSIDE or not self._resolve(event)]
        if told:
            self._tell(told)

    def expect(self, number: int) -> tuple[TaskKey, asyncio.Future[events.Finished]]:
        """Return a key that no task has, and the future that its end resolves."""
        key = (_INSIDE, number)
        self._waiting[key] = asyncio.get_running_loop().create_future()
        return key, self._waiting[key]

    def forget(self, key: TaskKey) -> None:
        """Nobody waits for the key any more."""
        del self._waiting[key]

    def close(self) -> None:
        """Fail everybody who still waits."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(WorkFailed("the workers were closed"))

    def _resolve(self, event: events.Event) -> bool:
        waiting = self._waiting.get(event.key)
        if waiting is not None and not waiting.done():
            if isinstance(event, events.Finished):
                waiting.set_result(event)
            elif isinstance(event, events.Failed):
                waiting.set_exception(WorkFailed(event.reason))
        return True

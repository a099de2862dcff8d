"""Things that a person should look at, into the audit log, at a bounded rate.

An attacker must not be able to fill the disk or the log by being noisy: what is over the rate is
only counted.
"""

import asyncio
import logging

from qfleet_controlplane.errors import Unavailable
from qfleet_controlplane.link import faults
from qfleet_controlplane.link.surroundings import Surroundings
from qfleet_controlplane.store import audit
from qfleet_controlplane.store.writer import Writer
from qfleet_wire.channel.rates import Buckets

_log = logging.getLogger(__name__)

_BURST = 5
_INTERVAL_MS = 60_000
_WHO = "link"


class Alarms:
    """Raises alarms from the event loop without waiting for the disk."""

    def __init__(self, writer: Writer, around: Surroundings) -> None:
        self._writer = writer
        self._around = around
        self._buckets = Buckets(burst=_BURST, interval_ms=_INTERVAL_MS)
        self._tasks: set[asyncio.Task[None]] = set()

    def ring(self, action: str, subject: str, detail: str) -> None:
        """Record an alarm; one kind of alarm about one subject is bounded."""
        self._around.counts.alarms.add(action)
        now = self._around.clock()
        if not self._buckets.admit((action, subject), now) or not self._buckets.admit(action, now):
            return
        _log.warning("Alarm %s about %s: %s", action, subject, detail, extra={"action": f"alarm_{action}"})
        entry = audit.Entry(now, _WHO, f"alarm.{action}", subject, detail)
        task = asyncio.get_running_loop().create_task(self._record(entry))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Wait until what was raised is recorded."""
        await asyncio.gather(*self._tasks)

    async def _record(self, entry: audit.Entry) -> None:
        try:
            await self._writer.run(lambda connection: audit.append(connection, [entry]))
        except Unavailable as error:
            faults.note(_log, "An alarm could not be recorded", error, "alarm_lost")

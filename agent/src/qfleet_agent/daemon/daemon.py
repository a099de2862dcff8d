"""Puts the agent together and runs it until it is told to stop.

An agent without a network is healthy: it is ready when its journal is open, and keeps what it has
until somebody asks for it.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from qfleet_agent import __version__, facts, status
from qfleet_agent.daemon import speed
from qfleet_agent.daemon.cluster_site import ClusterSite
from qfleet_agent.daemon.executor import Executor
from qfleet_agent.daemon.keys import KeyDesk
from qfleet_agent.daemon.performer import Performer
from qfleet_agent.daemon.place import Place
from qfleet_agent.errors import PartEnded
from qfleet_agent.journal import aside
from qfleet_agent.journal.aside import SetAside
from qfleet_agent.journal.journal import Journal
from qfleet_agent.link.handshakes import Handshakes
from qfleet_agent.link.link import Link
from qfleet_agent.machine import events
from qfleet_agent.machine.admit import MIB
from qfleet_agent.machine.machine import Machine
from qfleet_agent.notify import Notifier
from qfleet_wire.payloads import Calibration, Heartbeat, Sample

LEAVE_S = 2.0
"""How long what is in line may take to leave when the agent stops."""
_LOOK_S = 0.5
_TOLD = 400
"""Characters of a sentence in a heartbeat."""
WORKER_OVERHEAD_BYTES = 256 * MIB
"""Memory of a worker beside its task: interpreter, engine, libraries."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Daemon:
    """The parts of a running agent."""

    place: Place
    notifier: Notifier
    journal: Journal
    handshakes: Handshakes
    machine: Machine
    performer: Performer
    executor: Executor
    link: Link
    pulse: asyncio.Event = field(default_factory=asyncio.Event)
    cluster: ClusterSite | None = field(default=None, kw_only=True)
    """Where tasks run, if not here."""
    keys: KeyDesk = field(kw_only=True)
    damage: SetAside | None = None
    """The last journal that was set aside."""

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT; what is unfinished then stays journalled."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        try:
            async with asyncio.TaskGroup() as group:
                lasting = [
                    group.create_task(work, name=name)
                    for name, work in (
                        ("performer", self.performer.run()),
                        ("link", self.link.run()),
                        ("heartbeat", self._beat()),
                        ("keys", self.keys.socket.run()),
                        ("telemetry", self._sample()),
                    )
                ]
                passing = [group.create_task(work) for work in (self._watch(), self._measure())]
                self.notifier.ready(f"ready as {self.handshakes.membership.device}")
                stopping = group.create_task(stop.wait())
                await stopped(stopping, lasting)
                await self._leave()
                for task in (*lasting, *passing):
                    task.cancel()
        finally:
            await self.executor.close()

    async def _leave(self) -> None:
        log.info("Stopping; what is unfinished stays in the journal.", extra={"action": "stopping"})
        self.notifier.stopping()
        self.performer.tell(events.Stopping(self.performer.number()))
        await self.executor.close()
        try:
            async with asyncio.timeout(LEAVE_S):
                await self.performer.settle()
        except TimeoutError:
            log.warning("The journal cannot be written; the last results are lost and run again.")
        await self.link.leave(LEAVE_S)

    async def _watch(self) -> None:
        interval = self.notifier.watchdog_s
        while interval is not None:
            self.notifier.alive()
            await asyncio.sleep(interval)

    async def _beat(self) -> None:
        while True:
            condition = await asyncio.to_thread(facts.condition, self.place.settings.state)
            self.performer.tell(
                events.Measured(self.performer.number(), condition.disk_free_bytes, condition.temperature_c)
            )
            self.link.send(self._heartbeat(condition))
            self._tell_status()
            try:
                async with asyncio.timeout(
                    self.place.profile.link.heartbeat_s * self.link.helm.manner.stretch
                ):
                    await self.pulse.wait()
            except TimeoutError:
                pass
            self.pulse.clear()

    async def _sample(self) -> None:
        link = self.place.profile.link
        period = link.heartbeat_s if link.telemetry_s is None else link.telemetry_s
        while period:
            await asyncio.sleep(period)
            condition = await asyncio.to_thread(facts.condition, self.place.settings.state)
            self.performer.tell(events.Sampled(self.performer.number(), self._reading(condition)))

    def _reading(self, condition: facts.Condition) -> Sample:
        return Sample(
            sequence=0,
            at=self.handshakes.clock.now(),
            load=condition.load,
            memory_free_bytes=condition.memory_free_bytes,
            disk_free_bytes=condition.disk_free_bytes,
            running=self.executor.running,
            outbox=0,
            finished=0,
            temperature_c=condition.temperature_c,
        )

    def _heartbeat(self, condition: facts.Condition) -> Heartbeat:
        running, load = self.executor.running, self.machine.load
        return Heartbeat(
            sent=self.handshakes.clock.now(),
            uptime_s=condition.uptime_s,
            load=condition.load,
            memory_free_bytes=condition.memory_free_bytes,
            disk_free_bytes=condition.disk_free_bytes,
            running=running,
            queued=max(load.unfinished - running, 0),
            outbox=self.machine.finished,
            temperature_c=condition.temperature_c,
            dropped=self.link.inbox.dropped.total(),
            telemetry_lost=self.machine.telemetry_lost,
            journal_full=self.performer.journal_full,
            journal_set_aside=None if self.damage is None else self.damage.at,
            journal_damage="" if self.damage is None else f"{self.damage.reason}; saved: {self.damage.saved}",
            latency_ms=self.link.helm.latency_ms,
            quantum_key=self.handshakes.quantum_key[:_TOLD],
        )

    def _tell_status(self) -> None:
        state = "connected" if self.link.online else f"not connected: {self.link.trouble or 'connecting'}"
        self.notifier.status(
            f"{state}; {self.machine.load.unfinished} tasks, {self.machine.finished} results wait"
        )
        try:
            status.write(self.place.settings.state, self._status())
        except OSError as error:
            log.warning("The status cannot be written: %s", error, extra={"action": "status-unsaved"})

    def _status(self) -> status.Status:
        place, load, held = self.place, self.machine.load, self.handshakes.membership
        return status.Status(
            time=self.handshakes.clock.now(),
            pid=os.getpid(),
            version=__version__,
            fleet=held.fleet,
            region=held.region,
            device=held.device,
            profile=place.profile.name,
            online=self.link.online,
            trouble=self.link.trouble,
            way=self.link.helm.in_words,
            unfinished=load.unfinished,
            running=self.executor.running,
            outbox=self.machine.finished,
            stored_bytes=load.stored_bytes,
            reserved_bytes=load.reserved_bytes,
            disk_bytes=place.bounds.disk_bytes,
            journal_full=self.performer.journal_full,
            workers=place.bounds.workers,
            max_qubits=place.bounds.max_qubits,
            task_memory_bytes=place.bounds.task_memory_bytes,
            executor="local" if self.cluster is None else self.cluster.in_words,
            engines=tuple(f"{engine.name} {engine.version}" for engine in place.engines),
            certificate_ends=self.handshakes.own.peer.validity.not_after,
            quantum_key=self.handshakes.quantum_key,
            dropped=dict(self.link.inbox.dropped),
            telemetry_held=self.machine.telemetry_held,
            telemetry_lost=self.machine.telemetry_lost,
            reported=self._notes(),
            damaged_journal=None if self.damage is None else self._damaged(self.damage),
        )

    def _notes(self) -> tuple[str, ...]:
        settings, security = self.place.settings, self.place.profile.security
        if settings.preshared_key_file is None or not self.handshakes.is_out_of_keys:
            return ()
        then = (
            "no full handshake is possible" if security.require_preshared_key else "sessions open without one"
        )
        return (f"no unused pre-shared key is left in {settings.preshared_key_file}: {then}",)

    def _damaged(self, damage: SetAside) -> status.DamagedJournal:
        kept = aside.count(self.place.settings.state)
        return status.DamagedJournal(damage.at, damage.reason, damage.saved, damage.file, kept)

    def _moved(self, place: Place, calibrations: tuple[Calibration, ...]) -> None:
        """The cluster is another than before: say so."""
        self.place = place
        announced = place.announcement(calibrations)
        self.performer.tell(events.Announced(self.performer.number(), announced, place.bounds))
        self.pulse.set()

    async def _measure(self) -> None:
        place = self.place
        if self.cluster is not None:
            await self.cluster.run(self.executor, self._moved)
            return
        here = speed.Here(place.engines, place.hardware.machine, place.bounds.workers)
        if await speed.known(self.journal, here) is not None:
            return
        await self._quiet()
        calibrations = await speed.measure(
            self.journal, self.executor, here, memory_bytes=place.bounds.task_memory_bytes
        )
        if calibrations:
            announced = place.announcement(calibrations)
            self.performer.tell(events.Announced(self.performer.number(), announced))

    async def _quiet(self) -> None:
        clock = asyncio.get_running_loop().time
        pause = speed.Pause(clock())
        while not pause.is_over(clock(), busy=self.machine.load.unfinished > 0):  # noqa: ASYNC110 # for time
            await asyncio.sleep(_LOOK_S)


async def stopped(stopping: "asyncio.Task[Any]", lasting: Sequence["asyncio.Task[None]"]) -> None:
    """Wait for ``stopping``; a part that must last and ends before is a bug, and must be seen.

    A group of tasks overlooks a part that ends cancelled, and a daemon without its link looks well.

    Raises:
        PartEnded: with the part's name; whoever supervises the process starts it again.
    """
    done, _ = await asyncio.wait([stopping, *lasting], return_when=asyncio.FIRST_COMPLETED)
    if stopping not in done:
        raise PartEnded(f"the agent's {done.pop().get_name()} has ended by itself")

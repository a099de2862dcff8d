"""The control plane's machine with its real rows, real agent machines, and a link that misbehaves.

Everything happens in one thread on one seeded generator. The store is a SQLite database in memory:
what a crash leaves of the control plane is exactly what its commits wrote. An agent's crash leaves
its journal. The link loses, duplicates, delays and reorders; a new session forgets what was under
way in the old one.
"""

import hashlib
import math
import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa

from qfleet_agent.machine import effects as agent_effects
from qfleet_agent.machine import events as agent_events
from qfleet_agent.machine.admit import Bounds
from qfleet_agent.machine.machine import Machine as AgentMachine
from qfleet_controlplane.machine import events, tables
from qfleet_controlplane.machine.machine import Machine
from qfleet_controlplane.machine.policy import Policy
from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.service import afterwards, batch
from qfleet_controlplane.store import queries, records
from qfleet_controlplane.store.tables import METADATA
from qfleet_wire import api, circuit, codec, payloads, workload
from qfleet_wire.names import DeviceName, JobId, Millis

MIB = 1024 * 1024
KINDS = ("probe.echo", "circuit.sample", "circuit.expect")
CHUNK = 200
"""Results with a longer body travel in chunks of this size."""
POLICY = Policy(silence_ms=12_000, hint_ms=1_000, most_losses=10_000)
HEARTBEAT_MS = 5_000
PROGRAM = circuit.Program(
    qubits=1,
    slots=(circuit.Slot("c", circuit.ClassicalType("bit", 1), output=True),),
    parameters=(),
    body=(circuit.Measure(0, 0, 0),),
)

WORK: Any = workload.Work


@dataclass(frozen=True, slots=True)
class Faults:
    """How badly it goes: chances per step or message, in [0, 1]."""

    lose: float = 0.1
    duplicate: float = 0.1
    control_crash: float = 0.004
    agent_crash: float = 0.01
    cut: float = 0.01
    fail: float = 0.05
    connect: float = 0.03


HEALTHY = Faults(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, connect=0.5)


@dataclass(slots=True)
class Journal:
    """What survives an agent's crash."""

    tasks: dict[agent_events.Key, bytes] = field(default_factory=dict)
    results: dict[agent_events.Key, bytes] = field(default_factory=dict)
    artefacts: dict[bytes, bytes] = field(default_factory=dict)
    epoch: int = 0


class Agent:
    """An agent machine with its journal and its workers; ``send`` puts a payload on the link."""

    def __init__(self, name: DeviceName, world: "World") -> None:
        self.name = name
        self.world = world
        self.journal = Journal()
        self.running: dict[agent_events.Key, bytes] = {}
        self.session = 0
        self.beat_at = 0
        self._number = 0
        self._start()

    def _start(self) -> None:
        self.running.clear()
        self.session = 0
        self.machine = AgentMachine(self.name, _bounds(), announcement())
        tasks = [agent_events.StoredTask(key, data) for key, data in self.journal.tasks.items()]
        results = [agent_events.StoredResult(key, len(data)) for key, data in self.journal.results.items()]
        self.handle(agent_events.Restored(self._next(), self.journal.epoch, tasks, results))

    def crash(self) -> None:
        """Lose everything but the journal."""
        self._start()

    def open(self, session: int) -> None:
        """Begin a session."""
        self.session = session
        self.beat_at = self.world.now
        self.handle(agent_events.SessionOpened(self._next()))

    def close(self) -> None:
        """Lose the session."""
        self.session = 0
        self.handle(agent_events.SessionLost(self._next()))

    def hear(self, item: payloads.Down) -> None:
        """Take one payload in."""
        self.handle(agent_events.Heard(self._next(), 0, self.world.now, (item,)))

    def work(self, random_: random.Random, fail: float) -> None:
        """Let one worker end, in one way or another."""
        key = random_.choice(list(self.running))
        data = self.running.pop(key)
        self.handle(agent_events.WorkStarted(self._next(), key))
        if random_.random() < fail:
            self.handle(agent_events.WorkFailed(self._next(), key, "the worker was killed"))
            return
        body = codec.encode(answer(codec.decode(data, WORK)))
        digest = digest_of(body) if len(body) > CHUNK else None
        self.handle(agent_events.WorkFinished(self._next(), key, body, "fake", "1", 0, 1.0, digest))

    def tick(self) -> None:
        """Let time have passed."""
        wake = self.machine.next_wake()
        if wake is not None and wake <= self.world.now:
            self.handle(agent_events.Ticked(self._next()))
        if self.session and self.world.now >= self.beat_at:
            self.beat_at = self.world.now + HEARTBEAT_MS
            self.world.up(self, payloads.Heartbeat(self.world.now, 1, 0.0, 1, 1, 0, 0, 0))

    def handle(self, event: agent_events.Event) -> None:
        """Journal first, then do the rest."""
        wanted = self.machine.handle(event, self.world.now)
        for effect in wanted:
            if isinstance(effect, agent_effects.WRITES):
                self._write(effect)
        for effect in wanted:
            self._act(effect)

    def _write(self, effect: agent_effects.Effect) -> None:
        match effect:
            case agent_effects.SaveTask(key=key, assign=assign):
                self.journal.tasks[key] = assign
            case agent_effects.SaveResult(key=key, result=result, digest=digest, artefact=artefact):
                self.journal.tasks.pop(key, None)
                self.journal.results[key] = result
                if digest is not None and artefact is not None:
                    self.journal.artefacts[digest] = artefact
            case agent_effects.DropResults(keys=keys):
                for key in keys:
                    self.journal.results.pop(key, None)
            case agent_effects.SaveEpoch(epoch=epoch):
                self.journal.epoch = epoch

    def _act(self, effect: agent_effects.Effect) -> None:
        match effect:
            case agent_effects.Start(key=key, work=work):
                self.running[key] = work
            case agent_effects.Stop(key=key):
                self.running.pop(key, None)
            case agent_effects.Send(payload=payload):
                self.world.up(self, payload)
            case agent_effects.SendResults(keys=keys):
                self._flush(keys)

    def _flush(self, keys: tuple[agent_events.Key, ...]) -> None:
        raws = [self.journal.results[key] for key in keys]
        signature = self.world.random.randbytes(8)
        self.world.up(self, payloads.Results(tuple(map(msgspec.Raw, raws)), signature))
        for raw in raws:
            digest = codec.decode(raw, payloads.TaskResult).artefact
            if digest is not None:
                for chunk in chunks(digest, self.journal.artefacts[digest]):
                    self.world.up(self, chunk)

    def _next(self) -> int:
        self._number += 1
        return self._number


class Control:
    """The control plane's machine, its commits, and the reads that follow them."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.connection = database()
        self.accepted: set[JobId] = set()
        self.sessions: dict[DeviceName, int] = {}
        self.alarms: list[str] = []
        self.compared = 0
        self.restarts = 0
        self.restart()

    def restart(self) -> None:
        """Come up with what the store has, and nothing else."""
        self.sessions.clear()
        self.restarts += 1
        with self.connection.begin():
            queries.drop_stray_chunks(self.connection)
            self.machine = Machine(records.load(self.connection, ""), POLICY)
        self.take([events.Reloaded(())])

    def take(self, happened: list[events.Event], *, die: str = "") -> None:
        """One round of the loop; it may die before its commit, or before it sends."""
        now = self.world.now
        gathered = batch.Batch(now)
        for event in (*happened, events.Settle()):
            gathered.add(self.machine.handle(event, now))
        check(self.machine)
        if die == "before commit":
            self.restart()
            return
        commit = gathered.close()
        with self.connection.begin():
            commit.write(self.connection)
        self.accepted.update(event.job for event in happened if isinstance(event, events.JobSubmitted))
        if die == "before sending":
            self.restart()
            return
        self.alarms += [alarm.detail for alarm in gathered.alarms]
        for device, items in gathered.sends.items():
            for item in items:
                self.world.down(device, item)
        self._follow(gathered)

    def _follow(self, gathered: batch.Batch) -> None:
        for effect in gathered.assemble:
            body = queries.artefact(self.connection, effect.device, effect.digest)
            whole = body if digest_of(body) == effect.digest else None
            self.connection.rollback()
            self.take([events.Assembled(effect.device, effect.digest, whole)])
        for wanted in gathered.compare:
            found = afterwards.compared(self.connection, wanted)
            self.connection.rollback()
            if found is not None:
                self.compared += 1
                self.take([found])


@dataclass(slots=True)
class Message:
    """A payload under way, and the session it was sealed in."""

    device: DeviceName
    session: int
    up: payloads.Up | None = None
    down: payloads.Down | None = None


class World:
    """Everything, one step at a time."""

    def __init__(self, seed: int, agents: int) -> None:
        self.random = random.Random(seed)
        self.now = Millis(1_000_000)
        self.link: list[Message] = []
        self.faults = HEALTHY
        self._sessions = 0
        self.agents = {name: Agent(name, self) for name in map(DeviceName, _names(agents))}
        self.control = Control(self)
        for name in self.agents:
            self.control.take([events.Enrolled(name)])

    def up(self, agent: Agent, item: payloads.Up) -> None:
        """Put a device's payload on the link."""
        if agent.session:
            self.link.append(Message(agent.name, agent.session, up=item))

    def down(self, device: DeviceName, item: payloads.Down) -> None:
        """Put the control plane's payload on the link."""
        session = self.control.sessions.get(device, 0)
        if session:
            self.link.append(Message(device, session, down=item))

    def submit(self, request: api.JobRequest, specification: Specification) -> JobId:
        """Submit a job until it is durable."""
        job = JobId(self.random.randbytes(8).hex())
        self.control.take([events.JobSubmitted(job, request, specification, "test")])
        return job

    def step(self) -> None:
        """Let one thing happen."""
        self.now = Millis(self.now + self.random.choice((0, 1, 5, 50, 500)))
        self._strike()
        due = self.control.machine.next_due()
        if due is not None and due <= self.now:
            self._control([events.Tick()])
        for agent in self.agents.values():
            agent.tick()
            if agent.session == 0 and self.random.random() < self.faults.connect:
                self._connect(agent)
        if self.link:
            self._deliver(self.link.pop(self.random.randrange(len(self.link))))
        busy = [agent for agent in self.agents.values() if agent.running]
        if busy:
            self.random.choice(busy).work(self.random, self.faults.fail)

    def run(self, until: Callable[[], bool], *, most: int) -> bool:
        """Step until something holds; False if it does not within ``most`` steps."""
        for _ in range(most):
            if until():
                return True
            self.step()
        return until()

    def finished(self) -> bool:
        """Whether no job is unfinished and no outbox holds anything."""
        return not self.control.machine.state.jobs and not any(
            agent.journal.results or agent.journal.tasks for agent in self.agents.values()
        )

    def _strike(self) -> None:
        if self.random.random() < self.faults.control_crash:
            self.control.restart()
        for agent in self.agents.values():
            if self.random.random() < self.faults.agent_crash:
                agent.crash()
            elif agent.session and self.random.random() < self.faults.cut:
                agent.close()
                self._control([events.PresenceLost(agent.name)])

    def _connect(self, agent: Agent) -> None:
        self._sessions += 1
        self.control.sessions[agent.name] = self._sessions
        self._control([events.SessionOpened(agent.name)])
        if self.control.sessions.get(agent.name) == self._sessions:
            agent.open(self._sessions)

    def _deliver(self, message: Message) -> None:
        if self.random.random() < self.faults.lose:
            return
        if self.random.random() < self.faults.duplicate:
            self.link.append(message)
        agent = self.agents[message.device]
        if message.up is not None and self.control.sessions.get(message.device) == message.session:
            self._control([events.Heard(message.device, message.up)])
        elif message.up is not None and agent.session == message.session:
            agent.close()  # told that its session is unknown: the control plane came up anew
        elif message.down is not None and agent.session == message.session:
            agent.hear(message.down)

    def _control(self, happened: list[events.Event]) -> None:
        die = ""
        if self.random.random() < self.faults.control_crash:
            die = self.random.choice(("before commit", "before sending"))
        self.control.take(happened, die=die)


def check(machine: Machine) -> None:
    """The machine's books agree with each other."""
    state = machine.state
    for job in state.jobs.values():
        assert job.status not in tables.JOB_OVER
        counts: dict[str, int] = {}
        for task in job.tasks:
            counts[task.status] = counts.get(task.status, 0) + 1
            assert state.tasks[task.id] is task
            held = task.device is not None and task.id in state.devices[task.device].held
            assert held == (task.status in tables.TASK_HELD), (task.id, task.status)
        assert {status: n for status, n in job.counts.items() if n} == counts
        assert set(map(id, job.pending)) == {id(task) for task in job.tasks if task.status == "pending"}
        assert len(job.pending) == counts.get("pending", 0)
        done = sum(task.progress * task.slice.items for task in job.tasks)
        assert math.isclose(job.done_items, done, abs_tol=1e-9)
    for device in state.devices.values():
        assert device.unanswered == sum(not task.accepted for task in device.held.values())
        assert device.backlog_ms >= 0


def chunks(digest: bytes, body: bytes) -> list[payloads.Chunk]:
    """Cut an artefact."""
    pieces = [body[start : start + CHUNK] for start in range(0, len(body), CHUNK)]
    return [payloads.Chunk(digest, index, len(pieces), data) for index, data in enumerate(pieces)]


def answer(work: workload.Work) -> workload.WorkResult:
    """What an honest engine would return: it depends on item, block and seed, and on nothing else."""
    match work:
        case workload.ProbeEcho(data=data):
            return workload.EchoResult(data)
        case workload.CircuitSample():
            return sampled(work)
        case workload.CircuitExpect():
            return expected(work)


def sampled(work: workload.CircuitSample) -> workload.SampleResult:
    """Counts by block, each drawn from the block's seed."""
    return workload.SampleResult(tuple(_counts(work.seed, item) for item in work.items))


def expected(work: workload.CircuitExpect) -> workload.ExpectResult:
    """Moments by block, each from the block's seed; exact ones from the item's."""
    return workload.ExpectResult(tuple(_moments(work.seed, item) for item in work.items))


def _counts(seed: int, item: workload.SampleItem) -> workload.SampleCounts:
    ones = 0
    for block, shots in _blocks(item.first_block, item.shots):
        ones += workload.block_seed(seed, item.index, block) % (shots + 1)
    pairs = [(b"\0", item.shots - ones), (b"\1", ones)]
    kept = [pair for pair in pairs if pair[1]]
    return workload.SampleCounts(
        item.index,
        item.first_block,
        item.shots,
        1,
        b"".join(outcome for outcome, _ in kept),
        tuple(count for _, count in kept),
    )


def _moments(seed: int, item: workload.ExpectItem) -> workload.ExpectValues:
    if item.shots == 0:
        value = workload.block_seed(seed, item.index, 0) / 2**63
        return workload.ExpectValues(item.index, (workload.Moments(0, 0, (value,)),))
    blocks = []
    for block, shots in _blocks(item.first_block, item.shots):
        total = shots * workload.block_seed(seed, item.index, block) / 2**63
        blocks.append(workload.Moments(block, shots, (total,), (float(shots),)))
    return workload.ExpectValues(item.index, tuple(blocks))


def _blocks(first: int, shots: int) -> list[tuple[int, int]]:
    size = workload.SHOTS_PER_BLOCK
    return [(first + n, min(size, shots - n * size)) for n in range(math.ceil(shots / size))]


def announcement() -> payloads.Announcement:
    """What every agent here says."""
    return payloads.Announcement(
        agent_version="0",
        profile="generic",
        boot_id="b",
        machine="x86_64",
        cores=2,
        memory_bytes=256 * MIB,
        workers=2,
        task_memory_bytes=100 * MIB,
        max_qubits=10,
        engines=(payloads.Engine("fake", "1", KINDS),),
    )


def _bounds() -> Bounds:
    return Bounds(
        workers=2,
        task_memory_bytes=100 * MIB,
        max_qubits=10,
        max_shots=10_000_000,
        task_ms=900_000,
        disk_bytes=100 * MIB,
        disk_reserve_bytes=0,
        queue_tasks=6,
        queue_bytes=MIB,
        kinds=dict.fromkeys(KINDS, "fake"),
    )


def specification(request: api.JobRequest, *, dynamic: bool) -> Specification:
    """What the compiler would say of a request over ``PROGRAM``."""
    if request.kind == "probe.echo":
        return Specification(kind=request.kind, seed=7, items=request.items)
    return Specification(
        kind=request.kind,
        seed=7,
        items=request.items,
        shots=request.shots,
        points=((),) * request.items,
        program=codec.encode(PROGRAM),
        observables=(workload.Observable("Z0", (workload.PauliTerm(1.0, (("Z", 0),)),)),),
        qubits=1,
        gates=50,
        bits=1,
        registers=(1,),
        dynamic=dynamic,
    )


def digest_of(body: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(body).digest()


def database() -> sa.Connection:
    """A fresh database in memory."""
    engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
    connection = engine.connect()
    _template().backup(connection.connection.driver_connection)  # type: ignore[arg-type]
    return connection


@cache
def _template() -> sqlite3.Connection:
    engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
    METADATA.create_all(engine)
    return engine.raw_connection().driver_connection  # type: ignore[return-value]


def _names(count: int) -> list[str]:
    return [f"device-{number}" for number in range(count)]

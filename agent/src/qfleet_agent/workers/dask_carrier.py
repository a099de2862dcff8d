"""Carries tasks to a Dask cluster and what comes of them back; lives in the bridge's process only."""

import asyncio
import contextlib
import importlib.metadata
import secrets
from collections.abc import Coroutine
from typing import Any

import msgspec
from distributed import KilledWorker
from distributed.client import FutureCancelledError

from qfleet_agent.workers import dask_client, frames, remote
from qfleet_agent.workers import site as sites
from qfleet_agent.workers.bridge_frames import Connect, Down, Drop, Dropped, Give
from qfleet_agent.workers.errors import ClusterLost
from qfleet_agent.workers.site import Member, Report, View
from qfleet_wire import codec

LOOK_EVERY_S = 1.0
"""How often the scheduler is asked who is there."""
STATUS_EVERY_S = 0.25
GRACE_S = 30.0
"""Beyond its time limit, from its start on, a task is waited for."""
RELOCATIONS = 3
"""How often a task is handed in again because all workers that it may run on have gone."""
_READ_BYTES = 256 * 1024

_ended = msgspec.msgpack.Decoder(frames.Done | frames.Broken)


async def carry(
    wanted: Connect,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    splitter: "frames.Splitter[Down]",
) -> None:
    """Serve the agent until it has gone.

    Raises:
        ClusterLost: the scheduler cannot be used (any more), and why.
    """
    client = await dask_client.connect(wanted)
    carrier = Carrier(client, wanted.name, writer)

    async def obey() -> None:
        while data := await reader.read(_READ_BYTES):
            for frame in splitter.feed(data):
                carrier.take(frame)

    loop = asyncio.get_running_loop()
    both = {loop.create_task(carrier.look()), loop.create_task(obey())}
    done, left = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    with contextlib.suppress(Exception):
        await asyncio.wait_for(client.close(), 1.0)
    for task in done:
        task.result()


class Carried:
    """A task on the cluster."""

    def __init__(self, give: Give) -> None:
        self.give = give
        self.tries = 0
        self.able: list[str] | None = None
        self.where: str | None = None
        """Address of the worker that runs it, once it has said so."""
        self.future: Any = None
        self.timer: asyncio.TimerHandle | None = None


class Carrier:
    """All tasks in flight. Everything happens in the bridge's loop."""

    def __init__(self, client: Any, scheduler: str, writer: asyncio.StreamWriter) -> None:
        self._client, self._scheduler, self._writer = client, scheduler, writer
        self._topic = f"qfleet-{secrets.token_hex(8)}"
        self._wire = importlib.metadata.version("qfleet-wire")
        self._reports: dict[str, Report | str] = {}
        self._view: View | None = None
        self._carried: dict[int, Carried] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._identity = ""
        client.subscribe_topic(self._topic, self._told)

    async def look(self) -> None:
        """Follow who is there until cancelled. Raises ``ClusterLost``."""
        while True:
            members = await self._members()
            await self._ask(members)
            view = sites.view(self._scheduler, members, self._reports, self._wire)
            if view != self._view:
                self._view = view
                self._send(view.site)
                self._relocate(view)
            await asyncio.sleep(LOOK_EVERY_S)

    def take(self, frame: Down) -> None:
        """Do what the agent says."""
        match frame:
            case Give():
                carried = self._carried[frame.number] = Carried(frame)
                self._submit(carried)
                self._spawn(self._follow(carried))
            case Drop():
                self._spawn(self._drop(frame.number))
            case _:
                raise ClusterLost(f"the agent sent {type(frame).__name__}, which comes first or never")

    # ── the cluster ─────────────────────────────────────────────────────────────────────────

    async def _members(self) -> dict[str, Member]:
        try:
            said = await self._heard(self._client.scheduler.identity(n_workers=-1))
        except (OSError, TimeoutError) as error:
            raise ClusterLost(
                f"the scheduler at {self._scheduler} is gone: {error or 'no answer'}"
            ) from error
        self._identity = self._identity or said["id"]
        if self._client.status != "running" or said["id"] != self._identity:
            raise ClusterLost(f"the scheduler at {self._scheduler} was started anew")
        return {
            address: Member(address, int(one["nthreads"]), int(one["memory_limit"] or 0))
            for address, one in said["workers"].items()
            if one["status"] in {"running", "paused"}
        }

    async def _heard(self, asked: Coroutine[Any, Any, Any]) -> Any:
        """Wait for an answer, but not when the connection is known to have gone: Dask would go on trying."""
        answer = asyncio.ensure_future(asked)
        try:
            async with asyncio.timeout(dask_client.ANSWER_S):
                while not answer.done() and self._client.status == "running":
                    await asyncio.wait({answer}, timeout=STATUS_EVERY_S)
        finally:
            if not answer.done():
                answer.cancel()
        if answer.cancelling():
            raise ConnectionResetError("the connection was closed")
        return answer.result()

    async def _ask(self, members: dict[str, Member]) -> None:
        """Ask those who have not said yet what they have."""
        self._reports = {address: one for address, one in self._reports.items() if address in members}
        new = [address for address in members if address not in self._reports]
        if not new:
            return
        try:
            async with asyncio.timeout(dask_client.ANSWER_S):
                said = await self._client.run(remote.report, workers=new, on_error="return")
        except (OSError, TimeoutError, KeyError):
            return  # one of them has gone meanwhile, or is slow: asked again
        for address, one in said.items():
            self._reports[address] = dask_client.report(one)

    def _relocate(self, view: View) -> None:
        """Hand in again what waits for workers that have gone: Dask would wait for them for ever."""
        here = {one.address for one in view.members}
        for carried in tuple(self._carried.values()):
            able = view.able(carried.give.memory_bytes)
            if carried.able is None or here & set(carried.able) or able == []:
                continue
            if carried.tries > RELOCATIONS:
                reason = f"all workers that could run the task have gone, {carried.tries} times"
                self._end(carried, frames.Broken(carried.give.number, "crash", reason))
            else:
                self._submit(carried)

    # ── tasks ───────────────────────────────────────────────────────────────────────────────

    def _submit(self, carried: Carried) -> None:
        give, old = carried.give, carried.future
        order = remote.Order(self._topic, give.number, give.memory_bytes, give.time_limit_s, give.light)
        carried.able = None if self._view is None else self._view.able(give.memory_bytes)
        carried.tries += 1
        carried.future = self._client.submit(
            remote.run,
            give.work,
            codec.encode(order),
            key=f"{self._topic}-{give.number}-{carried.tries}",
            workers=carried.able,
            priority=give.priority,
            pure=False,
        )
        if old is not None:
            self._spawn(_cancel(old))

    async def _follow(self, carried: Carried) -> None:
        answer = await self._answer(carried)
        if answer is not None:
            self._end(carried, answer)

    async def _answer(self, carried: Carried) -> frames.Done | frames.Broken | None:
        """What comes of a task; None when that is decided elsewhere."""
        number = carried.give.number
        while number in self._carried:
            future = carried.future
            try:
                return _read(await future.result(), number)
            except FutureCancelledError as error:
                if future is carried.future and not await self._again(carried):
                    return frames.Broken(number, "crash", f"the cluster cancelled the task: {error}")
            except KilledWorker as error:
                return frames.Broken(number, "crash", f"the cluster gave the task up: {error}")
            except Exception as error:  # noqa: BLE001 - whatever Dask raises is the task's failure
                return frames.Broken(number, "crash", f"the cluster says {type(error).__name__}: {error}")
        return None

    async def _again(self, carried: Carried) -> bool:
        """Hand a task in again that somebody else cancelled, a few times."""
        await asyncio.sleep(LOOK_EVERY_S)
        if self._client.status != "running":  # lost with the scheduler: the agent hands it in again
            await asyncio.Event().wait()
        if carried.give.number in self._carried:
            if carried.tries > RELOCATIONS:
                return False
            self._submit(carried)
        return True

    def _end(self, carried: Carried, answer: frames.Done | frames.Broken) -> None:
        if self._carried.pop(carried.give.number, None) is None:
            return
        self._send(answer)
        if carried.timer is not None:
            carried.timer.cancel()
        carried.future.release()

    async def _drop(self, number: int) -> None:
        carried = self._carried.pop(number, None)
        if carried is not None:
            await self._stop(carried)
        self._send(Dropped(number))

    async def _stop(self, carried: Carried) -> None:
        with contextlib.suppress(OSError, TimeoutError, KeyError):
            async with asyncio.timeout(dask_client.ANSWER_S):
                await _cancel(carried.future)
                # Taking a task back from Dask does not end what a thread of a worker runs.
                workers = None if carried.where is None else [carried.where]
                number = carried.give.number
                await self._client.run(remote.stop, self._topic, number, workers=workers, on_error="ignore")

    def _told(self, event: tuple[float, Any]) -> None:
        """A worker says that a task runs, or how far it is."""
        number, address, share = event[1]
        carried = self._carried.get(number)
        if carried is None:
            return
        carried.where = str(address)
        if share is not None:
            self._send(frames.Share(number, float(share)))
            return
        self._send(frames.Begun(number))
        if carried.timer is not None:
            carried.timer.cancel()
        loop, late = asyncio.get_running_loop(), carried.give.time_limit_s + GRACE_S
        carried.timer = loop.call_later(late, lambda: self._spawn(self._overdue(number)))

    async def _overdue(self, number: int) -> None:
        carried = self._carried.get(number)
        if carried is None:
            return
        limit = carried.give.time_limit_s
        text = f"stopped {GRACE_S:g} s after its time limit of {limit:g} s: {carried.where} does not answer"
        self._end(carried, frames.Broken(number, "time", text))
        await self._stop(carried)

    def _send(self, frame: msgspec.Struct) -> None:
        self._writer.write(frames.encode(frame))

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _cancel(future: Any) -> None:
    with contextlib.suppress(OSError, TimeoutError):
        await future.cancel()


def _read(said: Any, number: int) -> frames.Done | frames.Broken:
    answer: frames.Done | frames.Broken = _ended.decode(said)
    return msgspec.structs.replace(answer, number=number)

"""Tasks on a real Dask cluster: the answers of a device, its limits, and what dies."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.integration import dask_site

from qfleet_agent.engines import program_samples, registry
from qfleet_agent.workers import calibration, cluster, events, pool
from qfleet_agent.workers.bridge_frames import Site, Trouble
from qfleet_agent.workers.errors import DuplicateTask, PoolClosed, WorkFailed
from qfleet_wire import circuit, codec, workload

PATIENCE_S = 60.0
MIB = 1024 * 1024
ECHO = codec.encode(workload.ProbeEcho(b"hello"))
BIT = circuit.ClassicalType("bit", 1)
C = circuit.Slot("c", BIT, 0, output=True)
ENDLESS = codec.encode(
    workload.CircuitSample(
        circuit.Program(
            1,
            (C,),
            (),
            (
                circuit.While(
                    circuit.Constant(value=True), (circuit.Gate("h", (0,)), circuit.Measure(0, 0, 0))
                ),
            ),
        ),
        5,
        (workload.SampleItem(0, (), 0, 10),),
    )
)


def walk(shots: int, *, seed: int = 7) -> bytes:
    """A dynamic program whose counts depend on every draw."""
    items = (workload.SampleItem(0, (), 0, shots),)
    return codec.encode(workload.CircuitSample(program_samples.walk(5), seed, items))


def values() -> bytes:
    observables = tuple(workload.Observable(p, (workload.PauliTerm(0.7, ((p, 0), (p, 3))),)) for p in "XYZ")
    program = program_samples.layers(8, 12)
    return codec.encode(workload.CircuitExpect(program, 3, observables, (workload.ExpectItem(0, ()),)))


class Bench:
    """A cluster as the agent has it, and what it told."""

    def __init__(self, site: dask_site.Cluster) -> None:
        self.told: list[events.Event] = []
        self.followed: list[Site | Trouble] = []
        self._news = asyncio.Event()
        self.cluster = cluster.Cluster(site.connect, self._tell, self._follow)

    def _tell(self, happened: Sequence[events.Event]) -> None:
        self.told += happened
        self._news.set()

    def _follow(self, found: Site | Trouble) -> None:
        self.followed.append(found)
        self._news.set()

    def submit(self, name: str, work: bytes = ECHO, **limits: Any) -> None:
        wanted = {"memory_bytes": 64 * MIB, "time_limit_s": PATIENCE_S, **limits}
        self.cluster.submit((name, 1), work, **wanted)

    async def until(self, enough: Callable[[], bool]) -> None:
        async def wait() -> None:
            while not enough():
                self._news.clear()
                await self._news.wait()

        await asyncio.wait_for(wait(), PATIENCE_S)

    async def site(self, fits: Callable[[Site], bool] = lambda site: site.workers == 2) -> Site:
        await self.until(lambda: isinstance(self.followed[-1:], list) and _fits(self.followed, fits))
        found = self.followed[-1]
        assert isinstance(found, Site)
        return found

    async def end_of(self, name: str) -> events.Event:
        final = (events.Finished, events.Failed, events.Cancelled)
        await self.until(lambda: any(isinstance(one, final) for one in self.told if one.key == (name, 1)))
        (end,) = [one for one in self.told if isinstance(one, final) and one.key == (name, 1)]
        return end

    async def begun(self, name: str) -> None:
        await self.until(lambda: events.Started((name, 1)) in self.told)


def _fits(followed: list[Site | Trouble], fits: Callable[[Site], bool]) -> bool:
    return bool(followed) and isinstance(followed[-1], Site) and fits(followed[-1])


def run(site: dask_site.Cluster, scenario: Callable[[Bench], Awaitable[None]]) -> None:
    async def whole() -> None:
        bench = Bench(site)
        await bench.cluster.start()
        (bridge,) = bench.cluster.processes
        try:
            await scenario(bench)
        finally:
            await bench.cluster.close()
        assert not psutil.pid_exists(bridge)

    asyncio.run(whole())


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dask_site.Cluster]:
    with dask_site.Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def own(tmp_path: Path) -> Iterator[dask_site.Cluster]:
    with dask_site.Cluster(tmp_path, workers=1) as running:
        yield running


def test_answers_are_those_of_a_device_to_the_last_bit(shared: dask_site.Cluster) -> None:
    works = {"walk": walk(5000), "other": walk(5000, seed=8), "values": values(), "echo": ECHO}

    async def scenario(bench: Bench) -> None:
        site = await bench.site()
        assert (site.workers, site.threads, site.refused) == (2, 2, ())
        assert {engine.name for engine in site.engines} == {engine.name for engine in registry.available()}
        for name, work in works.items():
            bench.submit(name, work)
        there = {name: await bench.end_of(name) for name in works}
        local = pool.Pool(pool.Settings(workers=1, memory_bytes=256 * MIB), lambda _: None)
        await local.start()
        try:
            for name, work in works.items():
                here = await local.run(work, memory_bytes=64 * MIB, time_limit_s=PATIENCE_S)
                end = there[name]
                assert isinstance(end, events.Finished), end
                assert end.body == here.body
                assert (end.engine, end.engine_version, end.seed) == (
                    here.engine,
                    here.engine_version,
                    here.seed,
                )
        finally:
            await local.close()
        assert there["walk"] != there["other"]

    run(shared, scenario)


def test_two_tasks_run_at_once_and_more_wait(shared: dask_site.Cluster) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.site()
        for number in range(3):
            bench.submit(f"endless-{number}", ENDLESS, time_limit_s=1.0)
        bench.submit("urgent", priority=5)
        with pytest.raises(DuplicateTask, match="urgent"):
            bench.submit("urgent")
        await bench.begun("endless-0")
        await bench.begun("endless-1")
        assert bench.cluster.running == 2
        for number in range(3):
            end = await bench.end_of(f"endless-{number}")
            assert end == events.Failed(
                (f"endless-{number}", 1), "time", "stopped after its time limit of 1 s"
            )
        assert isinstance(await bench.end_of("urgent"), events.Finished)

    run(shared, scenario)


def test_a_running_task_is_cancelled_and_its_process_ends(shared: dask_site.Cluster) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.site()
        bench.submit("endless", ENDLESS)
        bench.submit("waiting", ENDLESS)
        await bench.begun("endless")
        await bench.begun("waiting")
        busy = await asyncio.to_thread(shared.seats)
        assert len(busy) == 2
        for name in ("waiting", "endless"):
            assert bench.cluster.cancel((name, 1))
            assert await bench.end_of(name) == events.Cancelled((name, 1))
        _, alive = await asyncio.to_thread(psutil.wait_procs, busy, timeout=PATIENCE_S)
        assert not alive
        assert not bench.cluster.cancel(("endless", 1))
        bench.submit("after")
        assert isinstance(await bench.end_of("after"), events.Finished)

    run(shared, scenario)


def test_a_task_beyond_its_memory_fails_with_the_numbers(shared: dask_site.Cluster) -> None:
    wide = codec.encode(
        workload.CircuitSample(program_samples.layers(22, 12), 1, (workload.SampleItem(0, (), 0, 1),))
    )

    async def scenario(bench: Bench) -> None:
        await bench.site()
        with pytest.raises(WorkFailed, match="22 qubits need 88 MiB and the task may use 64 MiB"):
            await bench.cluster.run(wide, memory_bytes=64 * MIB, time_limit_s=PATIENCE_S)
        done = await bench.cluster.run(wide, memory_bytes=192 * MIB, time_limit_s=PATIENCE_S)
        assert done.duration_ms > 0
        bench.submit("broken", b"\xc1")
        end = await bench.end_of("broken")
        assert isinstance(end, events.Failed)
        assert end.kind == "invalid"

    run(shared, scenario)


def test_progress_is_told(shared: dask_site.Cluster) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.site()
        bench.submit("long", walk(2_000_000))
        await bench.until(lambda: any(isinstance(one, events.Progress) for one in bench.told))
        share = next(one for one in bench.told if isinstance(one, events.Progress))
        assert share.key == ("long", 1)
        assert 0 < share.fraction < 1
        bench.cluster.cancel(("long", 1))
        await bench.end_of("long")

    run(shared, scenario)


def test_engines_are_measured_on_the_cluster(shared: dask_site.Cluster) -> None:
    async def scenario(bench: Bench) -> None:
        site = await bench.site()
        found = await asyncio.wait_for(calibration.calibrate(bench.cluster, site.engines), 120)
        measured = next(entry for entry in found if entry.engine == "qulacs")
        assert 0 < measured.amplitude_ns < 10_000

    run(shared, scenario)


def test_a_closed_cluster_takes_nothing(shared: dask_site.Cluster) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.cluster.close()
        with pytest.raises(PoolClosed):
            bench.submit("late")

    async def whole() -> None:
        bench = Bench(shared)
        await bench.cluster.start()
        await scenario(bench)

    asyncio.run(whole())


def test_a_lost_worker_costs_its_task_a_second_run_and_two_cost_the_task(own: dask_site.Cluster) -> None:
    async def scenario(bench: Bench) -> None:
        begun = events.Started(("endless", 1))
        await bench.site(lambda site: site.workers == 1)
        bench.submit("endless", ENDLESS)
        for starts in (1, 2):
            await bench.until(lambda n=starts: bench.told.count(begun) == n)  # type: ignore[misc]  # n is an int
            await asyncio.to_thread(own.kill_worker)
        end = await bench.end_of("endless")
        assert isinstance(end, events.Failed)
        assert end.kind == "crash"
        assert "the cluster gave the task up" in end.reason
        assert "2 different workers" in end.reason
        await bench.site(lambda site: site.workers == 1)
        bench.submit("after", walk(100))
        assert isinstance(await bench.end_of("after"), events.Finished)

    run(own, scenario)


def test_workers_come_and_go_and_strangers_are_refused_in_words(
    own: dask_site.Cluster, tmp_path: Path
) -> None:
    other = tmp_path / "other" / "qfleet_wire-9.9.9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: qfleet-wire\nVersion: 9.9.9\n")
    without = tmp_path / "without"
    without.mkdir()
    (without / "qfleet_agent.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'qfleet_agent'\")\n"
    )

    async def scenario(bench: Bench) -> None:
        first = await bench.site(lambda site: site.workers == 1)
        own.start_worker("more", threads=2, memory="2GiB")
        own.start_worker("stranger", paths=str(other.parent))
        own.start_worker("bare", paths=str(without))
        site = await bench.site(lambda site: site.workers == 2 and len(site.refused) == 2)
        assert site.threads == 3
        assert site.task_memory_bytes >= first.task_memory_bytes
        said = "\n".join(site.refused)
        assert "it has qfleet-wire 9.9.9 with qfleet-agent" in said
        assert "install qfleet-agent[circuits]" in said
        for number in range(12):
            bench.submit(f"t{number}", walk(64))
        for number in range(12):
            assert isinstance(await bench.end_of(f"t{number}"), events.Finished)
        await asyncio.to_thread(own.stop_one, "more")
        assert (await bench.site(lambda site: site.workers == 1)).threads == 1

    run(own, scenario)


def test_tasks_wait_for_a_scheduler_that_has_gone(own: dask_site.Cluster) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.site(lambda site: site.workers == 1)
        bench.submit("running", ENDLESS)
        await bench.begun("running")
        await asyncio.to_thread(own.kill_one, "worker-0")
        await asyncio.to_thread(own.kill_one, "scheduler")
        await bench.until(lambda: isinstance(bench.followed[-1], Trouble))
        assert bench.cluster.running == 0
        bench.submit("meanwhile", walk(100))
        await bench.until(lambda: "no scheduler at" in str(bench.followed[-1]))
        assert bench.cluster.cancel(("running", 1))
        assert await bench.end_of("running") == events.Cancelled(("running", 1))
        await asyncio.to_thread(own.start_scheduler)
        await asyncio.to_thread(own.start_worker, "worker-1")
        assert isinstance(await bench.end_of("meanwhile"), events.Finished)
        assert isinstance(bench.followed[-1], Site)

    run(own, scenario)

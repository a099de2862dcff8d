"""The pool with real worker processes: answers, order, deaths, limits, and what is left behind."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from qfleet_agent.engines import registry
from qfleet_agent.workers import calibration, events, limits, pool
from qfleet_agent.workers.errors import DuplicateTask, PoolClosed, WorkersUnavailable, WorkFailed
from qfleet_wire import circuit, codec, workload

PATIENCE_S = 30.0
MIB = 1024 * 1024
ECHO = codec.encode(workload.ProbeEcho(b"hello"))
BIT = circuit.ClassicalType("bit", 1)
C = circuit.Slot("c", BIT, 0, output=True)


def sampling(*body: circuit.Statement, qubits: int = 1, shots: int = 10) -> bytes:
    program = circuit.Program(qubits, (C,), (), body)
    return codec.encode(workload.CircuitSample(program, 5, (workload.SampleItem(0, (), 0, shots),)))


COIN = sampling(circuit.Gate("h", (0,)), circuit.Measure(0, 0, 0))
ENDLESS = sampling(
    circuit.While(circuit.Constant(value=True), (circuit.Gate("h", (0,)), circuit.Measure(0, 0, 0)))
)


class Bench:
    """A pool and what it told."""

    def __init__(self, **settings: Any) -> None:
        self.told: list[events.Event] = []
        self._news = asyncio.Event()
        self.pool = pool.Pool(
            pool.Settings(**{"workers": 1, "memory_bytes": 512 * MIB, **settings}), self._tell
        )

    def _tell(self, happened: Sequence[events.Event]) -> None:
        self.told += happened
        self._news.set()

    def submit(self, name: str, work: bytes = ECHO, **limits: Any) -> None:
        self.pool.submit((name, 1), work, **{"memory_bytes": 64 * MIB, "time_limit_s": PATIENCE_S, **limits})

    async def until(self, enough: Callable[[], bool]) -> None:
        async def wait() -> None:
            while not enough():
                self._news.clear()
                await self._news.wait()

        await asyncio.wait_for(wait(), PATIENCE_S)

    def of(self, name: str) -> list[events.Event]:
        return [event for event in self.told if event.key == (name, 1)]

    async def end_of(self, name: str) -> events.Event:
        final = (events.Finished, events.Failed, events.Cancelled)
        await self.until(lambda: any(isinstance(event, final) for event in self.of(name)))
        (end,) = [event for event in self.of(name) if isinstance(event, final)]
        return end

    async def begun(self, name: str) -> None:
        await self.until(lambda: events.Started((name, 1)) in self.told)


def run(scenario: Callable[[Bench], Awaitable[None]], **settings: Any) -> None:
    async def whole() -> None:
        bench = Bench(**settings)
        await bench.pool.start()
        try:
            await scenario(bench)
        finally:
            await bench.pool.close()

    asyncio.run(whole())


def counts_of(end: events.Event) -> dict[bytes, int]:
    assert isinstance(end, events.Finished)
    (item,) = codec.decode(end.body, workload.SampleResult).items
    return dict(zip((item.outcomes[i : i + 1] for i in range(len(item.outcomes))), item.counts, strict=True))


def test_echo_and_circuits_come_back_with_their_provenance() -> None:
    async def scenario(bench: Bench) -> None:
        bench.submit("echo")
        bench.submit("coin", COIN)
        echo, coin = await bench.end_of("echo"), await bench.end_of("coin")
        assert isinstance(echo, events.Finished)
        assert codec.decode(echo.body, workload.EchoResult).data == b"hello"
        assert (echo.engine, echo.seed) == ("echo", 0)
        assert sum(counts_of(coin).values()) == 10
        assert isinstance(coin, events.Finished)
        assert (coin.engine, coin.seed) == ("qulacs", 5)
        assert coin.engine_version.count(".") == 2
        assert coin.duration_ms > 0
        assert bench.of("coin")[0] == events.Started(("coin", 1))
        assert (bench.pool.running, bench.pool.queued) == (0, 0)

    run(scenario)


def test_many_small_tasks_all_end_once_on_two_workers() -> None:
    async def scenario(bench: Bench) -> None:
        for index in range(2000):
            bench.submit(str(index))
        await bench.until(lambda: len(bench.told) >= 2000)
        assert sorted(int(event.key[0]) for event in bench.told) == list(range(2000))
        assert all(isinstance(event, events.Finished) for event in bench.told)

    run(scenario, workers=2)


def test_a_higher_priority_goes_first() -> None:
    async def scenario(bench: Bench) -> None:
        bench.submit("first", COIN)
        bench.submit("low", COIN)
        bench.submit("high", COIN, priority=5)
        await bench.end_of("low")
        await bench.end_of("first")
        order = [event.key[0] for event in bench.told if isinstance(event, events.Finished)]
        assert order.index("high") < order.index("low")

    run(scenario)


def test_bad_work_fails_with_its_reason_and_the_worker_lives_on() -> None:
    async def scenario(bench: Bench) -> None:
        before = bench.pool.processes
        bench.submit("garbage", b"\xc1")
        bench.submit("qubit", sampling(circuit.Gate("x", (7,))))
        bench.submit("wide", sampling(circuit.Gate("x", (0,)), qubits=40))
        garbage, qubit, wide = [await bench.end_of(name) for name in ("garbage", "qubit", "wide")]
        assert isinstance(garbage, events.Failed)
        assert garbage.kind == "invalid"
        assert qubit == events.Failed(
            ("qubit", 1), "invalid", "gate x names qubit 7; the program has qubits 0 to 0"
        )
        assert isinstance(wide, events.Failed)
        assert wide.kind == "memory"
        assert "40 qubits need 16842776 MiB and the task may use 64 MiB" in wide.reason
        assert bench.pool.processes == before

    run(scenario)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_killed_worker_fails_its_task_and_no_other(number: signal.Signals) -> None:
    async def scenario(bench: Bench) -> None:
        (process,) = bench.pool.processes
        bench.submit("victim", ENDLESS)
        await bench.begun("victim")
        bench.submit("next", COIN)
        os.kill(process, number)
        end = await bench.end_of("victim")
        assert isinstance(end, events.Failed)
        assert end.kind == "crash"
        assert f"worker died: signal {int(number)}" in end.reason
        counts_of(await bench.end_of("next"))
        assert bench.pool.processes != (process,)

    run(scenario)


def test_a_worker_killed_while_idle_is_replaced() -> None:
    async def scenario(bench: Bench) -> None:
        (process,) = bench.pool.processes
        os.kill(process, signal.SIGKILL)
        bench.submit("later", COIN)
        end = await bench.end_of("later")
        if isinstance(end, events.Failed):  # it had been sent before the death was seen: a failed attempt
            assert end.kind == "crash"
            bench.submit("again", COIN)
            counts_of(await bench.end_of("again"))

    run(scenario)


def test_a_stop_signal_for_the_whole_unit_leaves_workers_to_the_agent() -> None:
    async def scenario(bench: Bench) -> None:
        (process,) = bench.pool.processes
        bench.submit("running", ENDLESS)
        await bench.begun("running")
        os.kill(process, signal.SIGTERM)
        os.kill(process, signal.SIGINT)
        bench.pool.cancel(("running", 1))
        assert await bench.end_of("running") == events.Cancelled(("running", 1))

    run(scenario)


def test_a_task_over_its_time_limit_is_killed_and_the_line_goes_on() -> None:
    async def scenario(bench: Bench) -> None:
        bench.submit("endless", ENDLESS, time_limit_s=0.3)
        bench.submit("after", COIN)
        end = await bench.end_of("endless")
        assert end == events.Failed(("endless", 1), "time", "stopped after its time limit of 0.3 s")
        counts_of(await bench.end_of("after"))

    run(scenario)


def test_cancelling_ends_running_waiting_and_unknown_tasks() -> None:
    async def scenario(bench: Bench) -> None:
        bench.submit("running", ENDLESS)
        bench.submit("waiting", COIN)
        await bench.begun("running")
        assert bench.pool.queued == 1
        assert bench.pool.cancel(("waiting", 1))
        assert bench.pool.cancel(("running", 1))
        assert not bench.pool.cancel(("unknown", 1))
        assert await bench.end_of("waiting") == events.Cancelled(("waiting", 1))
        assert await bench.end_of("running") == events.Cancelled(("running", 1))
        bench.submit("after", COIN)
        counts_of(await bench.end_of("after"))

    run(scenario)


def test_an_allocation_over_the_limit_fails_the_task_only() -> None:
    """1 << 2^33 needs a gibibyte; the limit of the process stops it inside Python."""
    huge = circuit.Assign(0, circuit.Binary("<<", circuit.Constant(1), circuit.Constant(1 << 33)))

    async def scenario(bench: Bench) -> None:
        before = bench.pool.processes
        bench.submit("huge", sampling(huge))
        end = await bench.end_of("huge")
        assert isinstance(end, events.Failed)
        assert end.kind == "memory"
        assert "its limit of 64 MiB" in end.reason
        counts_of_after = await _coin(bench)
        assert sum(counts_of_after.values()) == 10
        assert bench.pool.processes == before

    run(scenario)


def test_a_native_allocation_over_the_limit_names_the_limit() -> None:
    """The engine's own allocation fails and ends the process: the agent lives and says why."""

    async def scenario(bench: Bench) -> None:
        wide = sampling(circuit.Gate("h", (0,)), circuit.Measure(0, 0, 0), qubits=25)
        bench.submit("wide", wide, memory_bytes=4096 * MIB)
        end = await bench.end_of("wide")
        assert isinstance(end, events.Failed)
        assert end.kind == "memory"
        assert "over its memory limit of 4096 MiB" in end.reason
        await _coin(bench)

    run(scenario, memory_bytes=128 * MIB)


async def _coin(bench: Bench) -> dict[bytes, int]:
    bench.submit("coin", COIN)
    return counts_of(await bench.end_of("coin"))


def test_workers_are_replaced_after_their_number_of_tasks() -> None:
    async def scenario(bench: Bench) -> None:
        seen = set(bench.pool.processes)
        for index in range(12):
            bench.submit(str(index), COIN)
            counts_of(await bench.end_of(str(index)))
            seen |= set(bench.pool.processes)
        assert len(seen) >= 3

    run(scenario, tasks_per_child=4)


def test_progress_is_told_between_start_and_end() -> None:
    walk = [part for _ in range(12) for part in (circuit.Gate("h", (0,)), circuit.Measure(0, 0, 0))]
    long = sampling(*walk, circuit.Gate("h", (0,)), shots=60 * 1024)

    async def scenario(bench: Bench) -> None:
        bench.submit("long", long)
        await bench.until(lambda: sum(isinstance(event, events.Progress) for event in bench.told) > 1)
        bench.pool.cancel(("long", 1))
        await bench.end_of("long")
        shares = [event.fraction for event in bench.told if isinstance(event, events.Progress)]
        assert shares == sorted(shares)
        assert all(0 < share <= 1 for share in shares)

    run(scenario)


def test_misuse_is_refused() -> None:
    async def scenario(bench: Bench) -> None:
        bench.submit("one", ENDLESS)
        with pytest.raises(DuplicateTask, match="queued or running already"):
            bench.submit("one")
        await bench.pool.close()
        with pytest.raises(PoolClosed, match="after the workers were closed"):
            bench.submit("two")

    run(scenario)


def test_work_outside_the_tasks_returns_or_raises_and_is_not_told() -> None:
    async def scenario(bench: Bench) -> None:
        done = await bench.pool.run(ECHO, memory_bytes=MIB, time_limit_s=PATIENCE_S)
        assert codec.decode(done.body, workload.EchoResult).data == b"hello"
        with pytest.raises(WorkFailed, match="names qubit 7"):
            await bench.pool.run(
                sampling(circuit.Gate("x", (7,))), memory_bytes=64 * MIB, time_limit_s=PATIENCE_S
            )
        assert bench.told == []

    run(scenario)


def test_calibration_measures_positive_speeds() -> None:
    async def scenario(bench: Bench) -> None:
        found = await asyncio.wait_for(calibration.calibrate(bench.pool, registry.available()), 120)
        measured = next(entry for entry in found if entry.engine == "qulacs")
        assert 0 < measured.amplitude_ns < 10_000
        assert measured.gate_us >= 0
        assert measured.shot_us > 0

    run(scenario)


def open_files(process: int) -> dict[str, str]:
    return {fd.name: str(fd.readlink()) for fd in Path(f"/proc/{process}/fd").iterdir()}


def oom_score(process: int) -> int:
    return int(Path(f"/proc/{process}/oom_score_adj").read_text())


def test_a_worker_sees_no_secret_and_holds_no_file_of_the_agent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("QFLEET_SECRET", "hunter2")
    secret = (tmp_path / "key").open("w")
    os.set_inheritable(secret.fileno(), True)  # noqa: FBT003 - the standard library's signature

    async def scenario(bench: Bench) -> None:
        (number,) = bench.pool.processes
        process = psutil.Process(number)
        assert set(process.environ()) <= set(limits.environment(1)) | {"LC_CTYPE"}
        assert "hunter2" not in "".join(process.cmdline())
        links = open_files(number)
        assert links.pop("0") == links.pop("1") == os.devnull
        assert links.pop("2").startswith("pipe:")
        assert [link.split(":")[0] for link in links.values()] == ["socket"]
        assert process.cwd() == "/"
        assert os.getpgid(number) == os.getsid(number) == number
        assert process.nice() == limits.NICENESS
        assert oom_score(number) >= limits.OOM_SCORE
        assert process.rlimit(psutil.RLIMIT_CORE) == (0, 0)

    with secret:
        run(scenario)


def test_nothing_is_left_open_after_deaths_and_close() -> None:
    async def scenario(bench: Bench) -> None:
        for turn in range(3):
            bench.submit(str(turn), ENDLESS)
            await bench.begun(str(turn))
            bench.pool.cancel((str(turn), 1))
            await bench.end_of(str(turn))
        await _coin(bench)

    others = psutil.Process().children()
    run(scenario)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only how many
    run(scenario)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - only how many
    assert psutil.Process().children() == others


HOST = """
import asyncio, sys
from qfleet_agent.workers import pool
async def main():
    opened = pool.Pool(pool.Settings(workers=2, memory_bytes=1 << 29), lambda told: None)
    await opened.start()
    opened.submit(("endless", 1), bytes.fromhex(sys.argv[1]), memory_bytes=1 << 26, time_limit_s=600)
    await asyncio.sleep(0)
    print(*opened.processes, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


def test_a_killed_agent_leaves_no_worker_behind() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOST, ENDLESS.hex()], stdout=subprocess.PIPE, text=True
    ) as agent:
        assert agent.stdout is not None
        workers = [psutil.Process(int(word)) for word in agent.stdout.readline().split()]
        assert len(workers) == 2
        agent.kill()
    _, alive = psutil.wait_procs(workers, timeout=PATIENCE_S)
    assert alive == []


def test_a_worker_that_cannot_start_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    async def scenario() -> None:
        bench = Bench()
        try:
            with pytest.raises(WorkersUnavailable, match="worker died: exit status 1"):
                await bench.pool.start()
        finally:
            await bench.pool.close()

    asyncio.run(scenario())


def test_what_a_worker_writes_reaches_the_log_in_part(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    noisy = tmp_path / "noisy"
    noisy.write_text("#!/bin/sh\nfor i in $(seq 200); do echo line $i >&2; done\n")
    noisy.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(noisy))

    async def scenario() -> None:
        bench = Bench()
        try:
            with pytest.raises(WorkersUnavailable, match="line 200"):
                await bench.pool.start()
        finally:
            await bench.pool.close()

    asyncio.run(scenario())
    lines = [record.getMessage() for record in caplog.records]
    assert sum(line.startswith("Worker") and ": line " in line for line in lines) == 50
    assert any("wrote 150 more lines" in line for line in lines)

import pytest

from qfleet_agent.workers import site
from qfleet_agent.workers.bridge_frames import Site
from qfleet_agent.workers.site import Member, Report
from qfleet_wire.payloads import Engine

GIB = 1 << 30
QULACS = Engine("qulacs", "0.6.14", ("circuit.sample",))
OLDER = Engine("qulacs", "0.6.11", ("circuit.sample",))


def report(*engines: Engine, machine: str = "x86_64", wire: str = "1.0", protocol: int = 1) -> Report:
    return Report(protocol, wire, "1.0", machine, engines or (QULACS,))


def view(members: list[Member], reports: dict[str, Report | str]) -> site.View:
    return site.view("tcp://s:1", {one.address: one for one in members}, reports, "1.0")


def member(address: str, threads: int = 1, memory: int = 4 * GIB) -> Member:
    return Member(address, threads, memory)


def test_a_site_is_the_sum_of_its_workers() -> None:
    seen = view([member("a"), member("b", 2, 8 * GIB)], {"a": report(), "b": report()})
    assert seen.site == Site(
        scheduler="tcp://s:1",
        workers=2,
        threads=3,
        memory_bytes=12 * GIB,
        task_memory_bytes=site.share(8 * GIB, 2),
        machine="x86_64",
        engines=(QULACS,),
        refused=(),
    )
    assert site.share(4 * GIB, 1) < 4 * GIB * 0.85
    assert site.share(8 * GIB, 2) < site.share(8 * GIB, 1)


def test_a_large_task_goes_only_where_it_fits() -> None:
    seen = view([member("a"), member("b", 1, 16 * GIB)], {"a": report(), "b": report()})
    assert seen.able(GIB) is None
    assert seen.able(8 * GIB) == ["b"]
    assert seen.able(64 * GIB) == []


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (None, "it has not answered yet"),
        ("it has no qfleet-agent", "install qfleet-agent[circuits]"),
        (report(wire="0.9"), "it has qfleet-wire 0.9 with qfleet-agent 1.0, the agent has qfleet-wire 1.0"),
        (report(protocol=7), "install the same versions"),
        (report(OLDER), "it has qulacs 0.6.11 on x86_64, most others have qulacs 0.6.14 on x86_64"),
        (report(machine="aarch64"), "it has qulacs 0.6.14 on aarch64"),
    ],
)
def test_a_stranger_gets_no_tasks_and_is_told_why(said: Report | str | None, words: str) -> None:
    reports: dict[str, Report | str] = {"a": report(), "b": report()}
    if said is not None:
        reports["c"] = said
    seen = view([member("a"), member("b"), member("c")], reports)
    (refusal,) = seen.site.refused
    assert refusal.startswith("c: ")
    assert words in refusal
    assert [one.address for one in seen.members] == ["a", "b"]
    assert seen.able(GIB) == ["a", "b"]


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (member("a", memory=0), "it has no memory limit: start it with --memory-limit"),
        (member("a", threads=64, memory=GIB), "leaves nothing for tasks in 64 threads"),
    ],
)
def test_a_worker_without_room_gets_no_tasks(one: Member, words: str) -> None:
    seen = view([one], {"a": report()})
    assert words in seen.site.refused[0]
    assert (seen.site.threads, seen.site.engines) == (0, ())


def test_an_empty_cluster_can_do_nothing() -> None:
    assert view([], {}).site == Site("tcp://s:1", 0, 0, 0, 0, "", (), ())

"""How a cluster becomes a device: its bounds, its announcement, and what the scheduler makes of it."""

from pathlib import Path

import msgspec
from tests.unit.core_cases import announcement
from tests.unit.test_core_schedule import demanded, devices_of, slot

from qfleet_agent.daemon import place
from qfleet_agent.machine import effects, events
from qfleet_agent.machine.machine import Machine
from qfleet_agent.settings import Settings
from qfleet_agent.workers.bridge_frames import Site
from qfleet_controlplane.planning import needs, schedule
from qfleet_wire import circuit, codec, payloads, workload
from qfleet_wire.names import DeviceName, JobId, Millis, TaskId

GIB = 1 << 30
CATALOGUE = Path(__file__).parents[2] / "firmware_profiles"
ENGINE = payloads.Engine("qulacs", "0.6.14", ("circuit.sample",))
SITE = Site("tcp://s:1", 3, 12, 96 * GIB, 8 * GIB, "aarch64", (ENGINE,), ())
NOW = Millis(0)


def settings(workers: int | None = None) -> Settings:
    return Settings(executor="dask://host:8786", workers=workers, profiles_dir=CATALOGUE)


def test_a_device_with_a_cluster_has_no_workers_before_it_has_seen_it() -> None:
    empty = place.survey(settings())
    assert empty.profile.name == "site-cluster"
    assert (empty.bounds.workers, empty.bounds.kinds, empty.engines) == (0, {}, ())
    assert empty.announcement(()).workers == 0


def test_a_cluster_is_announced_as_it_is_and_no_larger_than_the_settings() -> None:
    told = place.survey(settings()).on(SITE).announcement(())
    assert (told.workers, told.cores, told.memory_bytes, told.machine) == (12, 12, 96 * GIB, "aarch64")
    assert told.task_memory_bytes == 8 * GIB
    assert told.max_qubits == 28  # one vector of 4 GiB: of 8 GiB none fits with what a task needs beside
    assert told.engines == (ENGINE,)
    assert place.survey(settings(workers=5)).on(SITE).bounds.workers == 5


def test_a_device_that_grew_takes_what_it_refused_before_it() -> None:
    small = place.survey(settings()).on(Site("tcp://s:1", 1, 1, GIB, GIB // 2, "x86_64", (ENGINE,), ()))
    machine = Machine(DeviceName("site"), small.bounds, small.announcement(()))
    machine.handle(events.SessionOpened(1), NOW)
    first = machine.handle(heard(_wide("a"), number=2), NOW)
    assert any(isinstance(one, effects.Send) and isinstance(one.payload, payloads.Refused) for one in first)
    grown = place.survey(settings()).on(SITE)
    machine.handle(events.Announced(3, grown.announcement(()), grown.bounds), NOW)
    then = machine.handle(heard(_wide("b"), number=4), NOW)
    assert any(isinstance(one, effects.Start) for one in then)


def heard(item: payloads.Down, *, number: int) -> events.Heard:
    return events.Heard(number, 1, NOW, (item,))


def _wide(task: str) -> payloads.Assign:
    """A task that needs 2 GiB."""
    program = circuit.Program(27, (), (), ())
    work = codec.encode(workload.CircuitSample(program, 1, (workload.SampleItem(0, (), 0, 1),)))
    return payloads.Assign(TaskId(task), 1, JobId("j"), msgspec.Raw(work), 2 * GIB, 1024, 60_000)


def test_a_site_whose_cluster_has_gone_gets_nothing_and_lacks_nothing() -> None:
    gone = announcement(workers=0)
    assert devices_of(schedule.schedule([demanded(3)], [slot("site", gone), slot("small")])) == {"small": 3}
    assert schedule.schedule([demanded(3)], [slot("site", gone)]) == []
    assert needs.lacks(demanded(1).requirement, gone) is None

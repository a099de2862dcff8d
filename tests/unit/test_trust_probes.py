"""Probes: what a real engine answers is right, what is not is found, and they look like work."""

import msgspec
import pytest
from tests.unit.core_bench import Bench, result
from tests.unit.core_cases import counted, sample
from tests.unit.trust_bench import A, B

from qfleet_agent.engines import execution
from qfleet_controlplane.machine import effects, events, leases, state
from qfleet_controlplane.planning import kinds, merge, plan, probes
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, circuit, codec, payloads, workload
from qfleet_wire.names import JobId

WORK: type[workload.Work] = workload.Work  # type: ignore[assignment]  # a union is no type to mypy
EMPTY = codec.encode(circuit.Program(1, (), (), ()))
BUDGET = 1 << 30


def parent(
    kind: api.JobKind = "circuit.sample", *, qubits: int = 6, method: workload.Method = ""
) -> Specification:
    observables = (workload.Observable("Z0", (workload.PauliTerm(1.0, (("Z", 0),)),)),) * 3
    return Specification(
        kind=kind, seed=1, items=1, shots=4096, points=((),), program=EMPTY, qubits=qubits, gates=60,
        bits=qubits, registers=(qubits,), observables=observables, method=method, probes=1.0,
        secret=b"s" * 32,
    )  # fmt: skip


def computed(probe: Specification) -> workload.WorkResult:
    """What the real engine makes of a probe."""
    planned = kinds.plan(probe, plan.Fleet(1, 1, kinds.rates(probe)))
    (part,) = planned.slices
    work = codec.decode(bytes(kinds.encode(probe, part)), WORK)
    answer = execution.execute(work, budget=BUDGET, report=lambda _: None)
    assert kinds.fault(probe, part, answer) is None
    return answer


def secret(number: int) -> bytes:
    return b"secret %d" % number


@pytest.mark.parametrize("number", range(12))
@pytest.mark.parametrize("kind", ["circuit.sample", "circuit.expect"])
def test_a_real_engine_answers_every_probe_right(kind: api.JobKind, number: int) -> None:
    probe = probes.make(parent(kind, qubits=1 + number), secret(number))
    assert probes.fault(probe, computed(probe)) is None


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("qubits", [9, 120])
def test_a_tableau_answers_probes_of_clifford_work_right(qubits: int, number: int) -> None:
    probe = probes.make(parent(qubits=qubits, method="stabilizer"), secret(number))
    assert probes.fault(probe, computed(probe)) is None


def test_values_of_probes_are_not_all_alike() -> None:
    probe = probes.make(parent("circuit.expect"), secret(1))
    answer = computed(probe)
    assert isinstance(answer, workload.ExpectResult)
    values = [value.mean for value in merge.values([answer])[0]]
    assert len({round(value, 6) for value in values}) > 1


@pytest.mark.parametrize("number", range(8))
def test_counts_at_a_total_variation_of_a_tenth_are_found(number: int) -> None:
    """A tenth of the shots lands on an outcome that they did not have."""
    probe = probes.make(msgspec.structs.replace(parent(), shots=8192), secret(number))
    answer = computed(probe)
    assert isinstance(answer, workload.SampleResult)
    counts = dict(merge.counts([answer])[0].counts)
    moved = probe.shots // 10
    target = min(set(range(64)) - set(counts), default=min(counts, key=counts.__getitem__))
    for outcome in sorted(counts, key=counts.__getitem__, reverse=True):
        taken = min(counts[outcome], moved)
        counts[outcome] -= taken
        moved -= taken
        counts[target] = counts.get(target, 0) + taken
    told = sample(counted(0, 0, {outcome: n for outcome, n in counts.items() if n}, probe.bits))
    assert probes.fault(probe, told) is not None


def test_a_value_that_is_off_is_found() -> None:
    probe = probes.make(parent("circuit.expect"), secret(1))
    answer = computed(probe)
    assert isinstance(answer, workload.ExpectResult)
    (item,) = answer.items
    (moments,) = item.moments
    off = msgspec.structs.replace(moments, sums=(moments.sums[0] + 0.1, *moments.sums[1:]))
    wrong = workload.ExpectResult((msgspec.structs.replace(item, moments=(off,)),))
    found = probes.fault(probe, wrong)
    assert found is not None
    assert found.exact


def test_a_probe_is_of_the_size_of_the_work() -> None:
    work = parent(qubits=12)
    probe = probes.make(work, secret(1))
    program = codec.decode(probe.program, circuit.Program)
    assert (probe.kind, probe.qubits, probe.shots) == (work.kind, work.qubits, work.shots)
    gates = sum(isinstance(step, circuit.Gate) for step in program.body)
    assert gates == work.gates


@pytest.mark.parametrize(
    ("asked", "here", "expected"), [(0.1, 50, 5), (0.1, 25, 3), (3.0, 50, 3), (3.0, 25, 2)]
)
def test_a_share_or_a_number_of_probes(asked: float, here: int, expected: int) -> None:
    assert probes.number_of(msgspec.structs.replace(parent(), probes=asked), here, 50) == expected


def submit(bench: Bench, kind: api.JobKind = "circuit.sample") -> tuple[state.Job, list[state.Job]]:
    """A job with three probes."""
    job = JobId("0b")
    whole = msgspec.structs.replace(parent(kind, qubits=1), probes=3.0)
    bench.handle(events.JobSubmitted(job, api.JobRequest(kind=kind, probes=3.0), whole, "someone"))
    bench.tick(1)
    known = bench.machine.state.jobs
    return known[job], [each for name, each in known.items() if name != job]


def test_probes_are_jobs_of_their_own_that_devices_cannot_tell_from_work() -> None:
    bench = Bench(A, B)
    job, mixed = submit(bench)
    assert len(mixed) == 3
    for probe in mixed:
        assert probe.specification.probe
        assert len(probe.id) == 16
        assert probe.request.name == f"probe of {job.id}"
        (task,) = probe.tasks
        asked = task.device
        assert asked is not None
        text = codec.encode(msgspec.structs.replace(bench_assignment(bench, task), task=task.id))
        assert b"probe" not in text


def bench_assignment(bench: Bench, task: state.Task) -> payloads.Assign:
    assert task.device is not None
    return leases.assignment(bench.machine.state.devices[task.device], task)


def test_a_right_answer_raises_trust_and_a_wrong_one_is_an_alarm_and_evidence() -> None:
    bench = Bench(A)
    _, mixed = submit(bench, "circuit.expect")
    good, bad, worse = mixed
    device = bench.machine.state.devices[A]
    bench.hear(A, result(good.tasks[0], 1, codec.encode(computed(good.specification))))
    assert (device.record.confirmed, good.status) == (1, "succeeded")
    for probe in (bad, worse):
        answer = computed(probe.specification)
        assert isinstance(answer, workload.ExpectResult)
        (item,) = answer.items
        (moments,) = item.moments
        flipped = msgspec.structs.replace(moments, sums=tuple(value + 0.2 for value in moments.sums))
        wrong = workload.ExpectResult((msgspec.structs.replace(item, moments=(flipped,)),))
        bench.hear(A, result(probe.tasks[0], 1, codec.encode(wrong)))
        kinds_of = [alarm.kind for alarm in bench.of(effects.Alarm)]
        assert kinds_of[0] == "probe"
    assert device.status == "quarantined"

"""When a program is computed on a tableau, on which devices, and what is said where it cannot be."""

from pathlib import Path

import msgspec
import pytest
from tests.unit.core_bench import JOB, Bench
from tests.unit.core_cases import KINDS, announcement
from tests.unit.planner_cases import devices, region

from qfleet_agent import profiles
from qfleet_agent.daemon import capacity
from qfleet_agent.engines import execution, tableau_samples
from qfleet_agent.machine import admit
from qfleet_controlplane.machine import effects, events
from qfleet_controlplane.planning import cost, kinds, methods, placement, plan, views
from qfleet_controlplane.planning.plan import Fleet
from qfleet_controlplane.planning.specification import Specification
from qfleet_controlplane.service import submission
from qfleet_wire import api, codec, payloads, workload
from qfleet_wire.names import DeviceName, Millis

GIB = 1024**3
CATALOGUE = Path(__file__).parents[2] / "firmware_profiles"
STABILIZER = ("circuit.sample/stabilizer", "circuit.expect/stabilizer")
STIM = payloads.Engine("stim", "1.16.0", STABILIZER)
VECTOR = payloads.Engine("qulacs", "0.6", KINDS)
HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'


def ghz(qubits: int, *, last: str = "", shots: int = 100_000) -> api.JobRequest:
    program = (
        HEAD + f"qubit[{qubits}] q; bit[{qubits}] c;\nh q[0];\n"
        f"for int i in [0:{qubits - 2}] {{ cx q[i], q[i + 1]; }}\n{last}\nc = measure q;"
    )
    return api.JobRequest(kind="circuit.sample", program=program, shots=shots, seed=5)


def specified(request: api.JobRequest) -> Specification:
    return submission.specify(request, 5)


def known(*engines: payloads.Engine, online: bool = True, qubits: int = 24) -> methods.Device:
    return methods.Device(announcement(engines=engines, max_qubits=qubits), online)


def test_a_small_clifford_program_stays_on_the_state_vector() -> None:
    job = methods.choose(specified(ghz(8)), [known(VECTOR, STIM)])
    assert (job.method, job.clifford) == ("", True)
    assert "small enough to stay on a state vector" in job.reason


def test_a_wider_one_goes_to_a_tableau_and_the_plan_says_so() -> None:
    job = methods.choose(specified(ghz(22)), [known(VECTOR, STIM)])
    assert (job.method, job.capability, job.vector_qubits) == ("stabilizer", "circuit.sample/stabilizer", 0)
    planned = kinds.plan(job, Fleet(1, 3, kinds.rates(job)))
    assert planned.sentences[0].startswith("All gates are Clifford: computed on a stabilizer tableau (stim)")
    assert planned.sentences[1].startswith("Clifford program of 22 qubits and 22 gates, 100,000 shots")


def test_the_choice_rests_on_the_program_and_not_on_speed() -> None:
    slow = msgspec.structs.replace(
        announcement(engines=(VECTOR, STIM)), calibrations=(payloads.Calibration("qulacs", 0.01, 0.01, 0.01),)
    )
    assert methods.choose(specified(ghz(22)), [methods.Device(slow, online=True)]).method == "stabilizer"


def test_without_stim_online_a_state_vector_does_where_it_fits() -> None:
    job = methods.choose(specified(ghz(22)), [known(VECTOR), known(VECTOR, STIM, online=False)])
    assert job.method == ""
    assert "no device that is online has stim" in job.reason


def test_what_fits_no_state_vector_waits_for_the_device_with_stim() -> None:
    job = methods.choose(specified(ghz(30)), [known(VECTOR), known(VECTOR, STIM, online=False)])
    assert job.method == "stabilizer"


def test_a_small_program_goes_to_a_tableau_where_that_is_all_there_is() -> None:
    assert methods.choose(specified(ghz(8)), [known(STIM, qubits=0)]).method == "stabilizer"


def test_nobody_with_stim_is_said_with_what_to_install() -> None:
    with pytest.raises(
        plan.PlanRefused, match=r"is Clifford, but no device .* has stim .* here takes has 24"
    ) as told:
        methods.choose(specified(ghz(500)), [known(VECTOR)])
    assert "qfleet-agent[clifford]" in told.value.hint


@pytest.mark.parametrize("qubits", [40, 500])
def test_a_wide_program_that_is_not_clifford_is_refused_with_the_gate_and_its_place(qubits: int) -> None:
    with pytest.raises(plan.PlanRefused) as told:
        methods.choose(specified(ghz(qubits, last="  t q[3];")), [known(VECTOR, STIM, qubits=25)])
    assert str(told.value) == (
        f"the program has {qubits} qubits, and the widest state vector that a device here takes has 25: "
        "a wider one must be Clifford, and t is not Clifford"
    )
    assert told.value.where == (6, 3)


def test_an_unknown_fleet_takes_what_may_be_computed_somewhere() -> None:
    assert methods.choose(specified(ghz(40, last="t q[3];")), []).method == ""
    assert methods.choose(specified(ghz(500)), []).method == "stabilizer"
    with pytest.raises(plan.PlanRefused, match="state vectors go to 64 qubits"):
        methods.choose(specified(ghz(65, last="t q[3];")), [])


def test_a_region_with_stim_gets_the_job_and_others_say_why_not() -> None:
    able = msgspec.structs.replace(devices(), engines=(VECTOR, STIM))
    placed = placement.place(
        specified(ghz(500)), [region("north", devices()), region("south", able)], placement.Wishes()
    )
    assert {share.region for share in placed.shares} == {"south"}
    assert placed.specification.method == "stabilizer"
    assert "north is not used: no engine for circuit.sample/stabilizer." in placed.sentences


def test_shots_are_split_while_they_cost_more_than_the_tableau() -> None:
    fleet = Fleet(8, 16, cost.Rates(item_ms=2000.0, shot_ms=0.01))
    few = msgspec.structs.replace(specified(ghz(500, shots=200_000)), method="stabilizer", bits=1)
    many = msgspec.structs.replace(few, shots=2_000_000)
    assert [len(kinds.plan(job, fleet).slices) for job in (few, many)] == [1, 10]


def test_many_distinct_outcomes_are_divided_so_that_each_task_fits() -> None:
    job = msgspec.structs.replace(specified(ghz(500, shots=2_000_000)), method="stabilizer")
    planned = kinds.plan(job, Fleet(1, 1, kinds.rates(job)))
    assert max(part.shots for part in planned.slices) <= 1 << 18
    assert sum(part.shots for part in planned.slices) == 2_000_000
    firsts = [part.first_block * 1024 for part in planned.slices]
    assert firsts == [sum(part.shots for part in planned.slices[:place]) for place in range(len(firsts))]


def raspberry(memory: int) -> admit.Bounds:
    """What a Raspberry Pi 4 with so much memory takes on by its profile."""
    profile = profiles.load_all(CATALOGUE)["raspberry-pi-4"]
    hardware = profiles.Hardware(
        models=("Raspberry Pi 4 Model B Rev 1.4",), machine="aarch64", cores=4, memory_bytes=memory
    )
    return capacity.bounds(profile, hardware, capacity.allowed(profile, (VECTOR, STIM)), None)


@pytest.mark.parametrize("memory", [1 * GIB, 4 * GIB])
def test_a_500_qubit_ghz_state_with_100_000_shots_runs_on_a_raspberry_pi(memory: int) -> None:
    """From the request to the counts; the device's admission included, and its engine under its memory."""
    bounds = raspberry(memory)
    pi, bench = DeviceName("pi"), Bench()
    told = announcement(
        profile="raspberry-pi-4",
        workers=bounds.workers,
        task_memory_bytes=bounds.task_memory_bytes,
        max_qubits=bounds.max_qubits,
        engines=(VECTOR, STIM),
    )
    bench.join(pi, told)
    request = ghz(500)
    bench.handle(events.JobSubmitted(JOB, request, specified(request), "someone"))
    assigned = bench.sent(payloads.Assign, pi)
    results = []
    for assign in assigned:
        assert isinstance(admit.admit(assign, Millis(0), bounds, admit.Load()), admit.Admitted)
        work: workload.Work = codec.decode(assign.work, workload.Work)  # type: ignore[arg-type] # a union
        result = execution.execute(work, budget=assign.memory_bytes, report=lambda _: None)
        results.append(views.Counted(result, pi, "stim", "1.16.0", 1.0))
        raw = codec.encode(
            payloads.TaskResult(
                assign.task, assign.attempt, "succeeded", body=msgspec.Raw(codec.encode(result))
            )
        )
        assert len(raw) <= assign.result_bytes
        bench.hear(pi, payloads.Results((msgspec.Raw(raw),), b"signature"))
    job = bench.machine.state.jobs.get(JOB)
    assert job is None or job.status == "succeeded"
    assert bench.of(effects.SaveResult)
    heading = views.Heading(JOB, "succeeded", request)
    specification = methods.choose(specified(request), [methods.Device(told, online=True)])
    shown = kinds.view(heading, specification, results)
    assert isinstance(shown, api.SampleResultView)
    assert shown.items[0].shots == 100_000
    assert shown.items[0].counts.keys() == {"0" * 500, "1" * 500}


def test_a_device_that_measured_its_tableaus_is_planned_by_that() -> None:
    job = methods.choose(specified(ghz(500)), [known(VECTOR, STIM)])
    measured = payloads.Calibration("stim", 0.1, 0.0, 0.0, curve=((4e4, 1.0),), part_us=1.0, draw_us=1.0)
    expected_ms = 1e-3 * (500 * 1.0 + 500 * 500**2 / 4e4 + 100_000 * (500 + 500 / 80) / 1000)
    assert kinds.rates(job, measured).cost_ms(1, 100_000) == pytest.approx(expected_ms)
    assumed = kinds.rates(job)
    assert kinds.rates(job, msgspec.structs.replace(measured, engine="qulacs")) == assumed


def test_what_is_timed_of_the_engine_runs_and_finds_all_that_is_predicted_by() -> None:
    timed = list(tableau_samples.samples())
    assert {sample.finds for sample in timed} == {"item", "part", "draw", "pass"}
    for sample in timed:
        result = execution.execute(sample.work, budget=1 << 28, report=lambda _: None)
        assert isinstance(result, workload.SampleResult)

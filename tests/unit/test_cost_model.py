"""The cost model that both sides share: counting, the curve, and finding coefficients from times."""

import itertools
import math
import random
from collections.abc import Sequence

import msgspec
import pytest

from qfleet_agent.engines import (
    annealing_samples,
    assembly,
    fusion,
    kernels,
    matrices,
    program_samples,
    timing,
)
from qfleet_agent.engines.expressions import Scope
from qfleet_agent.engines.timing import Budget, Sample
from qfleet_controlplane.planning import cost, speeds
from qfleet_controlplane.service import submission
from qfleet_wire import api, circuit, codec, costs, fusion_load, payloads, program_load, workload
from qfleet_wire.costs import Load

TRUE = payloads.Calibration(
    "truth",
    0.0,
    1.5,
    0.0,
    curve=((128.0, 0.5), (1024.0, 3.0), (65536.0, 300.0), (1048576.0, 6000.0)),
    item_us=300.0,
    part_us=30.0,
    turn_us=25.0,
    history_us=60.0,
    draw_us=7.0,
)


def test_a_pass_is_interpolated_on_logarithmic_scales_and_goes_with_size_beyond() -> None:
    curve = ((100.0, 1.0), (10_000.0, 400.0))
    assert costs.pass_us(curve, 1_000.0) == pytest.approx(20.0)
    assert costs.pass_us(curve, 50.0) == pytest.approx(0.5)
    assert costs.pass_us(curve, 20_000.0) == pytest.approx(800.0)


def test_an_agent_of_before_is_planned_by_its_three_coefficients() -> None:
    old = payloads.Calibration("qulacs", 2.0, 3.0, 20.0)
    assert costs.milliseconds(Load(steps=10, passes=10), 2.0**20, old) == pytest.approx(
        1e-3 * 10 * (3.0 + 2e-3 * 2**20)
    )


def test_a_calibration_without_a_curve_travels_as_before() -> None:
    old = payloads.Calibration("qulacs", 1.5, 3.0, 20.0)
    assert set(msgspec.msgpack.decode(codec.encode(old))) == {"engine", "amplitude_ns", "gate_us", "shot_us"}
    assert codec.decode(codec.encode(TRUE), payloads.Calibration) == TRUE


def test_what_was_measured_for_a_kind_goes_before_what_was_for_all() -> None:
    engine = payloads.Engine("both", "1", ("circuit.sample", "dynamics.solve"))
    general = payloads.Calibration("both", 1.0, 1.0, 1.0)
    own = payloads.Calibration("both", 9.0, 1.0, 1.0, kinds=("dynamics.solve",))
    device = payloads.Announcement("", "", "", "", 1, 1, 1, 1, 1, (engine,), (general, own))
    assert cost.calibration_of(device, "dynamics.solve") is own
    assert cost.calibration_of(device, "circuit.sample") is general


@pytest.mark.parametrize("seed", range(20))
def test_gates_are_counted_as_the_engine_runs_them(seed: int) -> None:
    draw = random.Random(seed)
    qubits = draw.choice((5, 7, 9))
    gates = [_gate(draw, qubits) for _ in range(60)]
    blocks = fusion.plan(gates, fuse=qubits >= fusion.FROM_QUBITS)
    scope = Scope((), ())
    ran = assembly.circuit_of(blocks, qubits, lambda gate: assembly.bound(scope, gate))
    counted = fusion_load.count(gates, qubits).whole
    # A product may turn out diagonal, or to be nothing, by its numbers.
    assert counted.steps == pytest.approx(ran.get_gate_count(), rel=0.15)
    items = [matrices.primitive(gate, assembly.bound(scope, gate)) for gate in gates]
    apart = sum(kernels.cost(item) for item in items if item is not None)
    assert 0.0 < counted.passes <= apart + 1e-9


def _gate(draw: random.Random, qubits: int) -> circuit.Gate:
    first, second = draw.sample(range(qubits), 2)
    angle = circuit.Constant(draw.uniform(0.1, 1.0))
    return draw.choice(
        (
            circuit.Gate("h", (first,)),
            circuit.Gate("t", (first,)),
            circuit.Gate("ry", (first,), (angle,)),
            circuit.Gate("rz", (first,), (angle,)),
            circuit.Gate("u", (first,), (angle, angle, angle)),
            circuit.Gate("x", (first,), controls=(circuit.Control(second),)),
            circuit.Gate("p", (first,), (angle,), (circuit.Control(second),)),
        )
    )


def test_shared_gates_are_counted_once_and_turned_ones_for_each_point() -> None:
    turned = circuit.Gate("rx", (0,), (circuit.Parameter(0),))
    fixed = tuple(circuit.Gate("h", (qubit,)) for qubit in range(5))
    program = circuit.Program(5, (), ("a",), (*fixed, turned))
    counted = program_load.of_program(program)
    assert (counted.task.steps, counted.item.steps) == (5, 1)
    reverse = program_load.of_program(msgspec.structs.replace(program, body=(turned, *fixed)))
    assert (reverse.task.steps, reverse.item.steps) == (0, 6)


@pytest.mark.parametrize(("measurements", "histories"), [(1, 2.0), (4, 16.0), (40, 1024.0)])
def test_shots_share_their_histories(measurements: int, histories: float) -> None:
    counted = program_load.of_program(program_samples.walk(measurements), 1024)
    assert counted.block.histories == pytest.approx(histories, rel=0.02)
    assert counted.block_shots == 1024


def test_a_certain_measurement_parts_nothing() -> None:
    body = (circuit.Measure(0, 0, 0), circuit.Reset(0), circuit.Measure(0, 0, 0), circuit.Gate("h", (0,)))
    slot = circuit.Slot("c", circuit.ClassicalType("bit", 1), 0, output=True)
    counted = program_load.of_program(circuit.Program(1, (slot,), (), body), 1024)
    assert counted.block.histories == 1.0


def test_a_long_loop_counts_as_all_its_passes() -> None:
    def looped(passes: int) -> float:
        loop = circuit.For(
            1, circuit.Constant(1), circuit.Constant(1), circuit.Constant(passes), (circuit.Reset(0),)
        )
        slots = (circuit.Slot("c", circuit.ClassicalType("bit", 1), 0, output=True),)
        return program_load.of_program(circuit.Program(1, slots, (), (loop,)), 1).block.turns

    assert looped(2_000) == pytest.approx(10 * looped(200), rel=0.01)


@pytest.mark.parametrize(("balls", "boxes"), [(10.0, 4.0), (1024.0, 1024.0), (3.0, 1e15)])
def test_distinct_boxes(balls: float, boxes: float) -> None:
    exact = boxes * -math.expm1(balls * math.log1p(-1 / boxes)) if boxes < 1e9 else balls
    assert program_load.distinct(balls, boxes) == pytest.approx(exact, rel=0.12)


def test_coefficients_are_found_from_times() -> None:
    """The engine is played by the model itself; every coefficient must come back."""
    offered = list(program_samples.samples())
    found = _measured(offered, TRUE, seconds=100.0)
    for sample in offered:
        assert _ms(sample, found) == pytest.approx(_ms(sample, TRUE), rel=0.15, abs=0.05)
    assert found.amplitude_ns == pytest.approx(1e3 * found.curve[-1][1] / found.curve[-1][0])
    assert found.item_us == pytest.approx(300.0, rel=0.2)
    assert found.turn_us == pytest.approx(25.0, rel=0.2)


def test_large_states_are_left_out_when_the_time_is_up() -> None:
    slow = msgspec.structs.replace(TRUE, curve=tuple((size, 50 * time) for size, time in TRUE.curve))
    whole = _measured(list(program_samples.samples()), TRUE, seconds=100.0)
    cut = _measured(list(program_samples.samples()), slow, seconds=2.5)
    assert 2 <= len(cut.curve) < len(whole.curve) == 9


def _ms(sample: Sample, calibration: payloads.Calibration) -> float:
    return costs.milliseconds(sample.load, sample.elements, calibration)


def _measured(samples: Sequence[Sample], truth: payloads.Calibration, seconds: float) -> payloads.Calibration:
    known = {id(sample.work): sample for sample in samples}
    now = 0.0

    def run(work: workload.Work, _: int) -> None:
        nonlocal now
        now += 1e-3 * _ms(known[id(work)], truth)

    (found,) = timing.measure("played", samples, run, budget=Budget(seconds, 1 << 30), clock=lambda: now)
    return found


def test_devices_of_one_make_are_alike_in_spite_of_noise() -> None:
    draw = random.Random(5)

    def noisy() -> payloads.Calibration:
        def near(value: float) -> float:
            return value * draw.uniform(0.9, 1.1)

        return msgspec.structs.replace(
            TRUE, curve=tuple((size, near(time)) for size, time in TRUE.curve), item_us=near(300.0)
        )

    made = [speeds.rounded(noisy(), 1.25) for _ in range(100)]
    assert all(speeds.alike((one,), (other,)) for one, other in itertools.pairwise(made))
    twice = msgspec.structs.replace(TRUE, curve=tuple((size, 2 * time) for size, time in TRUE.curve))
    assert not speeds.alike((speeds.rounded(TRUE, 1.25),), (speeds.rounded(twice, 1.25),))


def test_a_class_keeps_a_short_curve_that_tells_about_the_same() -> None:
    curve = tuple((2.0**n, 0.001 * 2.0**n * (3.0 if n > 17 else 1.0)) for n in range(7, 23, 2))
    kept = speeds.thinned(curve)
    assert len(kept) <= speeds.MOST_POINTS
    for size, time in curve:
        assert costs.pass_us(kept, size) == pytest.approx(time, rel=0.7)
    assert len(codec.encode(speeds.rounded(TRUE, 1.25))) < 350


def test_annealers_are_timed_by_what_the_planner_counts() -> None:
    """The sample's model as a job: a read of it has the sample's elements."""
    sample = list(annealing_samples.samples())[-1]
    assert isinstance(sample.work, workload.AnnealSample)
    model = sample.work.model
    lines = ["# vartype=SPIN", *(f"{index} {index} {bias}" for index, bias in enumerate(model.linear))]
    lines += [f"{a} {b} {bias}" for a, b, bias in zip(model.heads, model.tails, model.biases, strict=True)]
    asked = api.AnnealRequest(
        model="\n".join(lines), reads=sample.work.items[0].shots, sweeps=sample.work.sweeps
    )
    counted = submission.specify(api.JobRequest(kind="anneal.sample", work=asked), 1).effort
    assert counted.elements == pytest.approx(sample.elements, rel=0.01)
    assert counted.shot_steps * sample.work.items[0].shots == sample.load.steps

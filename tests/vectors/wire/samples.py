"""One filled-in example of every payload, work and result that the wire carries."""

import msgspec
from tests.vectors.wire import dynamics_samples

from qfleet_wire import circuit, codec, payloads, ways, workload
from qfleet_wire.names import DeviceName, JobId, Millis, TaskId

TASK, JOB = TaskId("job-7.3"), JobId("job-7")

_BIT = circuit.ClassicalType("bit", 2)
PROGRAM = circuit.Program(
    qubits=3,
    slots=(circuit.Slot("c", _BIT, output=True), circuit.Slot("i", circuit.ClassicalType("int", 32), 1)),
    parameters=("theta",),
    body=(
        circuit.Gate("h", (0,)),
        circuit.Gate("rx", (1,), (circuit.Parameter(0),), (circuit.Control(0),)),
        circuit.Gate("u", (2,), (circuit.Constant(0.5), circuit.Constant(0.0), circuit.Constant(-1.0))),
        circuit.Gate("swap", (0, 1), controls=(circuit.Control(2, 0),), power=0.5),
        circuit.Measure(0, 0, 1),
        circuit.If(
            circuit.Binary("==", circuit.BitOf(0, circuit.Constant(1)), circuit.Constant(1)),
            (circuit.Reset(0),),
            (circuit.Assign(1, circuit.Unary("~", circuit.Variable(1), 32)),),
        ),
        circuit.For(
            1,
            circuit.Constant(0),
            circuit.Constant(1),
            circuit.Constant(3),
            (circuit.Continue(), circuit.Break()),
        ),
        circuit.While(
            circuit.Convert(circuit.ClassicalType("bool", 1), circuit.Variable(1)), (circuit.End(),)
        ),
    ),
)

WORKS: tuple[workload.Work, ...] = (
    workload.CircuitSample(PROGRAM, 42, (workload.SampleItem(0, (0.25,), 2, 1500),)),
    workload.CircuitExpect(
        PROGRAM,
        43,
        (workload.Observable("0.5*Z0 X2", (workload.PauliTerm(0.5, (("Z", 0), ("X", 2))),)),),
        (workload.ExpectItem(0, (0.25,)), workload.ExpectItem(1, (0.5,), 1, 1024)),
    ),
    workload.ProbeEcho(b"echo"),
    workload.AnnealSample(
        workload.QuadraticModel("SPIN", (0.5, -1.0), (0,), (1,), (2.0,), 0.25),
        44,
        (workload.AnnealItem(3, 20),),
        "path-integral",
        1000,
        10,
        (2.0, 2.0),
        1.5,
    ),
    workload.AmplitudeEstimate(
        3, 46, (workload.AmplitudeItem(0, PROGRAM, (0, 2), (1, 3)),), 0.01, 0.05, 100, "chernoff"
    ),
    workload.PhiEvaluate(
        1,
        45,
        (workload.PhiItem(0, "effect", (0,), (0,)), workload.PhiItem(1, "cause", (0,), (0,))),
        workload.Operator(gates=(circuit.Gate("h", (0,)),)),
        workload.Operator(matrix=(0.5, 0.0, 0.0, -0.5, 0.0, 0.5, 0.5, 0.0)),
        "input",
    ),
)

WORKS += (
    workload.VariationalMinimise(
        seed=45,
        qubits=3,
        cost=workload.Observable("", (workload.PauliTerm(-1.0, ()), workload.PauliTerm(0.5, (("Z", 0),)))),
        items=(workload.MinimiseStart(0, (0.5,)), workload.MinimiseStart(1)),
        optimiser="cobyla",
        evaluations=500,
        tolerance=1e-9,
        program=PROGRAM,
        layers=2,
        shots=1024,
        best=10,
    ),
    workload.KernelMatrix(
        PROGRAM,
        46,
        (workload.KernelGroup(0, ((0.5,), (1.5,))), workload.KernelGroup(2, ((2.5,),))),
        (workload.KernelBlock(0, 0, 0), workload.KernelBlock(1, 0, 2)),
        1000,
    ),
)

WORKS += (
    workload.CircuitPart(
        PROGRAM,
        45,
        1,
        (workload.Place(1, 2, 2),),
        ((("X", 0), ("Z", 2)), ()),
        (5,),
        (workload.PartItem(0, (0.25,), bytes(128), 1, 1),),
    ),
)

WORK_RESULTS: tuple[workload.WorkResult, ...] = (
    workload.SampleResult((workload.SampleCounts(0, 2, 1500, 2, b"\x00\x03", (700, 800)),)),
    workload.ExpectResult(
        (
            workload.ExpectValues(0, (workload.Moments(0, 0, (0.5,)),)),
            workload.ExpectValues(1, (workload.Moments(1, 1024, (12.0,), (1024.0,)),)),
        )
    ),
    workload.EchoResult(b"echo"),
    workload.AnnealResult(
        3,
        20,
        (workload.EnergyLevel(-3.25, 19), workload.EnergyLevel(-0.25, 1)),
        (workload.LowState(-3.25, b"\x02", 19), workload.LowState(-0.25, b"\x01", 1)),
    ),
    workload.AmplitudeResult(
        (
            workload.AmplitudeValue(
                0, 0.5, 0.49, 0.51, (workload.AmplitudeRound(0, 100, 48), workload.AmplitudeRound(3, 100, 50))
            ),
        )
    ),
    workload.PhiResult(
        (
            workload.PhiValue(0, 1.0, (((0,), ()), ((), (0,))), 1.0),
            workload.PhiValue(1, 1.0, (((0,), ()), ((), (0,))), 1.0),
        )
    ),
)

WORK_RESULTS += (
    workload.VariationalResult(
        (
            workload.MinimisedStart(
                index=1,
                value=-1.5,
                parameters=(0.25,),
                evaluations=3,
                converged=True,
                trace=(-0.5, -1.5),
                every=2,
                samples=(workload.SampledString(5, 7, -1.5),),
            ),
        )
    ),
    workload.KernelResult((workload.KernelValues(1, (0.5, 0.25)),)),
)

WORK_RESULTS += (workload.PartResult(1, (workload.PartValues(0, 1, 1, bytes(32), bytes(16)),)),)

WORKS += (dynamics_samples.WORK,)
WORK_RESULTS += (dynamics_samples.RESULT,)

_RESULT = payloads.TaskResult(
    TASK,
    2,
    "succeeded",
    payloads.Provenance("pi-1", "qulacs", "0.6.14", 42, 12.5),
    msgspec.Raw(codec.encode(WORK_RESULTS[0])),
)

DOWN: tuple[payloads.Down, ...] = (
    payloads.Assign(
        TASK, 2, JOB, msgspec.Raw(codec.encode(WORKS[2])), 1 << 20, 4096, 60_000, 5, Millis(1_800_000_000_000)
    ),
    payloads.Cancel(TASK, 2, "no longer wanted"),
    payloads.Acknowledge(((TASK, 2),)),
    payloads.Renewed(b"h" * 32, (b"leaf", b"issuer")),
    payloads.RenewalRefused(b"h" * 32, "the device is revoked"),
    payloads.Ask("inventory"),
    payloads.TelemetryAcknowledge(1_800_000_017),
    payloads.FromPeer(DeviceName("pi-2"), b"sealed"),
    payloads.Contacts(
        Millis(1_800_000_000_000),
        Millis(1_800_600_000_000),
        (ways.Window(Millis(1_800_000_100_000), Millis(1_800_000_400_000)),),
    ),
    payloads.KeyOrder("o1", b"order"),
    payloads.KeyReportStored(("r1", "r2")),
    payloads.PeerRefused(DeviceName("pi-2"), 7, "away", "device 'pi-2' has no session"),
    payloads.Unsupported("teleport"),
)

UP: tuple[payloads.Up, ...] = (
    payloads.Announcement(
        "0.1.0",
        "raspberry-pi-5",
        "boot",
        "aarch64",
        4,
        8 << 30,
        2,
        1 << 30,
        24,
        (payloads.Engine("qulacs", "0.6.14", ("circuit.sample", "circuit.expect")),),
        (payloads.Calibration("qulacs", 1.5, 3.0, 20.0),),
        way=ways.Way(
            "leo",
            "satellite",
            Millis(1_800_000_000_000),
            640.5,
            5_700_000,
            2_000,
            "gateway.example:8883",
            ways.Window(Millis(1_799_999_990_000), Millis(1_800_000_480_000)),
            Millis(1_800_005_690_000),
        ),
    ),
    payloads.Inventory(((TASK, 2),), ((TASK, 1),)),
    payloads.Accepted(TASK, 2),
    payloads.Refused(TASK, 2, "memory", "needs 2048 MiB, has 512 MiB"),
    payloads.Started(TASK, 2),
    payloads.Progress(TASK, 2, 0.5),
    payloads.Results((msgspec.Raw(codec.encode(_RESULT)),), b"signature"),
    payloads.Chunk(b"d" * 32, 1, 3, b"data"),
    payloads.Heartbeat(
        Millis(1_800_000_000_000),
        3600,
        0.25,
        1 << 30,
        1 << 33,
        1,
        2,
        3,
        48.5,
        4,
        telemetry_lost=7,
        journal_full=True,
        journal_set_aside=Millis(1_799_999_000_000),
        journal_damage="database disk image is malformed",
        latency_ms=640.5,
    ),
    payloads.RenewRequest(b"csr"),
    payloads.KeyOrderTaken("o1"),
    payloads.KeyReport("r1", b"report"),
    payloads.ToPeer(DeviceName("pi-2"), b"sealed", 7),
    payloads.Telemetry(
        (payloads.Sample(1_800_000_017, Millis(1_800_000_000_000), 0.25, 1 << 30, 1 << 33, 1, 3, 12, 48.5),),
        lost=7,
    ),
    payloads.Unsupported("teleport"),
)

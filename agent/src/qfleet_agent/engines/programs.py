"""The engine for programs on state vectors: sampling and expectation values with qulacs."""

from collections.abc import Callable, Iterable

from qfleet_agent.engines import expectation, program_samples, sampling
from qfleet_agent.engines.errors import WorkInvalid
from qfleet_agent.engines.timing import Sample
from qfleet_wire import circuit, workload

_WARM_QUBITS = 14
_WARM_BYTES = 1 << 30


def run(
    work: workload.Work, *, budget: int, report: Callable[[float], None]
) -> workload.SampleResult | workload.ExpectResult:
    """Sample a program, or evaluate its observables.

    Raises:
        MemoryShort: it does not fit into ``budget`` bytes.
        WorkInvalid, ProgramFailed: it has no meaning.
    """
    match work:
        case workload.CircuitSample():
            return sampling.sample(work, budget=budget, report=report)
        case workload.CircuitExpect():
            return expectation.expect(work, budget=budget, report=report)
        case _:
            raise WorkInvalid(f"{type(work).__name__} is no work for this engine")


def warm() -> None:
    """Run a program wide enough for qulacs to start its threads."""
    body = (
        circuit.Gate("h", (0,)),
        *(circuit.Gate("ry", (q,), (circuit.Constant(0.1),)) for q in range(_WARM_QUBITS)),
    )
    program = circuit.Program(_WARM_QUBITS, (), (), body)
    letters = tuple(workload.Observable(p, (workload.PauliTerm(1.0, ((p, 0),)),)) for p in "XZ")
    works = (
        workload.CircuitExpect(program, 0, letters, (workload.ExpectItem(0, ()),)),
        workload.CircuitSample(program, 0, (workload.SampleItem(0, (), 0, 1),)),
    )
    for work in works:
        run(work, budget=_WARM_BYTES, report=lambda _: None)


def samples() -> Iterable[Sample]:
    """Programs that tell this engine's coefficients."""
    return program_samples.samples()

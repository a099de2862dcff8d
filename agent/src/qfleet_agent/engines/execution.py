"""Runs any work: the one door into the engines, used by the worker's child process only."""

from collections.abc import Callable

from qfleet_agent.engines import registry
from qfleet_agent.engines.errors import EngineMissing
from qfleet_wire import circuit, payloads, workload


def engine_of(work: workload.Work) -> payloads.Engine:
    """Return the engine that runs this kind of work.

    Raises:
        EngineMissing: it is not installed; the message says how to install it.
    """
    kind = str(work.__struct_config__.tag)
    engine = registry.engine_for(kind)
    if engine is None:
        raise EngineMissing(registry.missing(kind))
    return engine


def execute(work: workload.Work, *, budget: int, report: Callable[[float], None]) -> workload.WorkResult:
    """Run a work within ``budget`` bytes; ``report`` is told the share that is done, 0 to 1.

    Raises:
        MemoryShort: it does not fit.
        WorkInvalid, ProgramFailed: it has no meaning.
    """
    if isinstance(work, workload.ProbeEcho):
        return workload.EchoResult(work.data)
    if isinstance(work, workload.CircuitSample):
        from qfleet_agent.engines import sampling  # noqa: PLC0415 - imports numpy and qulacs

        return sampling.sample(work, budget=budget, report=report)
    from qfleet_agent.engines import expectation  # noqa: PLC0415 - imports numpy and qulacs

    return expectation.expect(work, budget=budget, report=report)


def preload() -> None:
    """Import the installed engines and start their threads, so that the first task waits for neither.

    Threads bring their stacks with them; what they need is thus there before memory is limited.
    """
    if registry.engine_for("circuit.sample") is None:
        return
    width = 14
    body = (
        circuit.Gate("h", (0,)),
        *(circuit.Gate("ry", (q,), (circuit.Constant(0.1),)) for q in range(width)),
    )
    program = circuit.Program(width, (), (), body)
    letters = tuple(workload.Observable(p, (workload.PauliTerm(1.0, ((p, 0),)),)) for p in "XZ")
    execute(
        workload.CircuitExpect(program, 0, letters, (workload.ExpectItem(0, ()),)),
        budget=1 << 30,
        report=lambda _: None,
    )
    execute(
        workload.CircuitSample(program, 0, (workload.SampleItem(0, (), 0, 1),)),
        budget=1 << 30,
        report=lambda _: None,
    )

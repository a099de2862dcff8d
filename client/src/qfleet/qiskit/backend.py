"""A fleet as a backend: for programs that call ``backend.run``."""

from collections.abc import Mapping, Sequence
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import BreakLoopOp, ContinueLoopOp, ForLoopOp, IfElseOp, SwitchCaseOp, WhileLoopOp
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.providers import BackendV2, JobStatus, JobV1, Options
from qiskit.result import Result as QiskitResult
from qiskit.result.models import ExperimentResult, ExperimentResultData
from qiskit.transpiler import Target

import qfleet
from qfleet import errors, futures
from qfleet.fleet import Fleet
from qfleet.qiskit import jobs, programs
from qfleet.result import Result
from qfleet_wire import api

_CONTROL_FLOW = {
    "if_else": IfElseOp, "for_loop": ForLoopOp, "while_loop": WhileLoopOp, "switch_case": SwitchCaseOp,
    "break_loop": BreakLoopOp, "continue_loop": ContinueLoopOp,
}  # fmt: skip


class FleetBackend(BackendV2):
    """All devices of a fleet as one simulator, as wide as the widest of them.

    ``options`` as in ``FleetSampler``.
    """

    def __init__(self, fleet: Fleet | None = None, **options: Any) -> None:
        super().__init__(name="qfleet", backend_version=qfleet.__version__)
        self.fleet = fleet or Fleet.from_configuration()
        self._job_options = options
        self._target = self._make_target()

    @property
    def target(self) -> Target:
        """Every gate that a program may have, on any qubits."""
        return self._target

    @property
    def max_circuits(self) -> None:
        """No bound: each circuit is a job."""
        return None

    @classmethod
    def _default_options(cls) -> Options:
        return Options(shots=1024, seed_simulator=None, memory=False)

    def run(self, run_input: QuantumCircuit | Sequence[QuantumCircuit], **options: Any) -> "FleetJob":
        """Submit a job for each circuit. Options: ``shots``, ``seed_simulator``, ``memory``.

        Raises:
            UserError: an option is unknown, what is given is no circuit, or one has unbound parameters or
                measures nothing.
        """
        circuits = [run_input] if isinstance(run_input, QuantumCircuit) else list(run_input)
        given = {name: getattr(self.options, name) for name in ("shots", "seed_simulator", "memory")}
        unknown = options.keys() - given.keys()
        if unknown:
            raise errors.UserError(
                f"{', '.join(sorted(unknown))}: no option of this backend",
                hint=f"there are {', '.join(given)}",
            )
        given |= options
        for circuit in circuits:
            _check(circuit)
        exported = [programs.export(circuit) for circuit in circuits]
        submitted = [
            futures.submit(
                api.JobRequest(
                    kind="circuit.sample",
                    name=circuit.name,
                    program=program.text,
                    shots=given["shots"],
                    seed=given["seed_simulator"],
                ),
                fleet=self.fleet,
                **self._job_options,
            )
            for circuit, program in zip(circuits, exported, strict=True)
        ]
        return FleetJob(self, circuits, exported, submitted, memory=given["memory"])

    def _make_target(self) -> Target:
        widths = [device.max_qubits or 0 for device in self.fleet.devices()]
        target = Target(num_qubits=max(widths, default=0) or None)
        known = get_standard_gate_name_mapping()
        for name in programs.BASIS:
            if name in known:
                target.add_instruction(known[name], name=name)
        for name, operation in _CONTROL_FLOW.items():
            target.add_instruction(operation, name=name)
        return target


class FleetJob(JobV1):
    """The jobs of one ``run``, in the words of Qiskit."""

    def __init__(
        self,
        backend: FleetBackend,
        circuits: Sequence[QuantumCircuit],
        exported: Sequence[programs.Exported],
        submitted: Sequence[futures.JobFuture],
        *,
        memory: bool,
    ) -> None:
        super().__init__(backend, ",".join(future.id for future in submitted))
        self.futures = tuple(submitted)
        self._circuits = circuits
        self._exported = exported
        self._memory = memory

    def submit(self) -> None:
        """Do nothing: a job is submitted when it is made."""

    def result(self) -> QiskitResult:
        """Wait for all results; raises what ``Fleet.run`` raises."""
        experiments = [
            _experiment(circuit, program, future.result(), memory=self._memory)
            for circuit, program, future in zip(self._circuits, self._exported, self.futures, strict=True)
        ]
        backend = self.backend()
        return QiskitResult(
            backend_name=backend.name,
            backend_version=backend.backend_version,
            job_id=self.job_id(),
            success=True,
            results=experiments,
        )

    def status(self) -> JobStatus:
        """Status of all jobs together."""
        return jobs.status_of(self.futures)

    def cancel(self) -> bool:
        """Cancel what has not ended, on the fleet too."""
        cancelled = [future.cancel() for future in self.futures]
        return all(cancelled)


def _check(circuit: Any) -> None:
    if not isinstance(circuit, QuantumCircuit):
        hint = "give a QuantumCircuit or several"
        raise errors.UserError(f"{type(circuit).__name__} is no circuit", hint=hint)
    if circuit.parameters:
        names = ", ".join(parameter.name for parameter in circuit.parameters)
        raise errors.UserError(
            f"the circuit {circuit.name!r} has unbound parameters: {names}",
            hint="assign them, or use FleetSampler, which takes values for them",
        )
    if not circuit.num_clbits:
        raise errors.UserError(f"the circuit {circuit.name!r} has no classical bits", hint="add measurements")


def _experiment(
    circuit: QuantumCircuit, program: programs.Exported, result: Result, *, memory: bool
) -> ExperimentResult:
    view = result.view
    assert isinstance(view, api.SampleResultView)
    (item,) = view.items
    counts: Mapping[str, int] = {
        hex(int(outcome.replace(" ", ""), 2)): count for outcome, count in item.counts.items()
    }
    data: dict[str, Any] = {"counts": counts}
    if memory:
        rows = programs.bits(item.counts, program.width, view.seed)
        data["memory"] = [hex(int("".join("1" if bit else "0" for bit in row[::-1]), 2)) for row in rows]
    header = {
        "name": circuit.name,
        "n_qubits": circuit.num_qubits,
        "memory_slots": circuit.num_clbits,
        "creg_sizes": [[register.name, register.size] for register in circuit.cregs],
        "metadata": circuit.metadata,
    }
    return ExperimentResult(
        item.shots,
        success=True,
        data=ExperimentResultData(**data),
        status="DONE",
        seed=view.seed,
        header=header,
    )

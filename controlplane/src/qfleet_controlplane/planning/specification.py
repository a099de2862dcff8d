"""What a job computes, in the few facts that planning, scheduling and merging need."""

import msgspec

from qfleet_controlplane.compile.clifford import Obstacle
from qfleet_controlplane.compile.compiled import CompiledJob
from qfleet_controlplane.compile.effort import Effort
from qfleet_controlplane.compile.noise_effort import NoiseEffort
from qfleet_controlplane.compile.shifts import Recipe
from qfleet_controlplane.planning.cuts.cut import CAPABILITY, Cut
from qfleet_wire import api, workload
from qfleet_wire.costs import NOTHING, Load
from qfleet_wire.program_load import ProgramLoad


class Specification(msgspec.Struct, frozen=True, kw_only=True):
    """A compiled job. ``program`` holds the bytes of an encoded ``circuit.Program``.

    ``items`` counts parameter points (or echoes), ``bits`` an outcome's width, ``registers`` the
    widths of the output registers in order of declaration. A ``dynamic`` program is run once
    per shot; a static one is evolved once per item. ``gates`` is a program's length.
    """

    kind: api.JobKind
    seed: int
    items: int
    shots: int = 0
    points: tuple[tuple[float, ...], ...] = ()
    program: bytes = b""
    observables: tuple[workload.Observable, ...] = ()
    qubits: int = 0
    gates: int = 0
    bits: int = 0
    registers: tuple[int, ...] = ()
    dynamic: bool = False
    method: workload.Method = ""
    """How a program is computed, where not on a state vector."""
    clifford: bool = False
    """Whether a stabilizer tableau computes it at all its points …"""
    obstacle: Obstacle | None = None
    """… and what of the program is in the way."""
    gradient: Recipe | None = None
    """How its items make gradients, if that is asked."""
    reason: str = ""
    """Why a program is computed as it is, in a sentence."""
    noise: workload.NoiseModel | None = None
    noise_effort: NoiseEffort = NoiseEffort()
    """What disturbs a program, and what that costs."""
    problem: bytes = b""
    """Of other workloads: the encoded work without what is a slice's own …"""
    effort: Effort = Effort()
    """… and what it costs."""
    agree: int = 1
    """Results of different devices that must agree about a task …"""
    copies: int = 1
    """… of so many devices at most, each with a copy of the task."""
    probes: float = 0.0
    """Tasks with a known answer that are mixed in: a share of the job's below 1, else their number …"""
    secret: bytes = b""
    """… and what they are drawn from; of a probe itself, what its answer follows from."""
    probe: bool = False
    """Whether the job is such a task: it is nobody's answer."""

    load: ProgramLoad = ProgramLoad()
    """What a program does, counted; nothing in jobs that were stored before it was."""
    ending: Load = NOTHING
    """What follows each of its evolutions, for the values of observables."""

    bitstrings: tuple[int, ...] = ()
    """Basis states whose amplitudes are asked for, qubit q as bit q."""
    cut: Cut | None = None
    """The parts of a program that is not run as a whole; ``qubits`` is then the width of the widest."""

    @property
    def capability(self) -> str:
        """What an engine must be able to do for it."""
        if self.cut is not None:
            return CAPABILITY
        return workload.capability(self.kind, self.method)

    @property
    def vector_qubits(self) -> int:
        """Width of the state vector that a device must hold, 0 where there is none."""
        return 0 if self.method in workload.WITHOUT_VECTOR else self.qubits

    @property
    def terms(self) -> int:
        """Number of Pauli products over all observables."""
        return sum(len(observable.terms) for observable in self.observables)


def of_work(kind: api.JobKind, compiled: CompiledJob, seed: int) -> Specification:
    """The facts of a job that is no program of its own."""
    return Specification(
        kind=kind,
        seed=seed,
        items=len(compiled.points),
        shots=compiled.shots,
        points=compiled.points if any(compiled.points) else (),
        qubits=compiled.qubits,
        problem=compiled.problem,
        effort=compiled.effort,
    )

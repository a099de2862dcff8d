"""Workload specifications: what a job asks for, what a task carries, what comes back.

A workload is a pure function of its specification and its seed. Seeds belong to fixed blocks of
shots (``SHOTS_PER_BLOCK``), never to the plan, so that an answer does not depend on how a job
was split. Results of any split merge to the same answer. One module for each family of workloads.

Every work that needs a state vector says its width in ``program.qubits`` or ``qubits``; what it repeats
stands in ``items``, each with its ``shots``: so a device can admit a work without reading all of it.
"""

from typing import TypeAlias

from qfleet_wire.workload.amplitude import (
    AmplitudeEstimate,
    AmplitudeItem,
    AmplitudeResult,
    AmplitudeRound,
    AmplitudeValue,
    Confidence,
)
from qfleet_wire.workload.annealing import (
    READS_PER_BLOCK,
    AnnealItem,
    AnnealResult,
    AnnealSample,
    EnergyLevel,
    LowState,
    QuadraticModel,
    Sampler,
    VariableType,
)
from qfleet_wire.workload.blocks import SHOTS_PER_BLOCK, block_seed
from qfleet_wire.workload.circuits import (
    CircuitExpect,
    CircuitSample,
    ExpectItem,
    ExpectResult,
    ExpectValues,
    Moments,
    Observable,
    PauliTerm,
    SampleCounts,
    SampleItem,
    SampleResult,
)
from qfleet_wire.workload.dynamics import TRAJECTORIES_PER_BLOCK, DynamicsResult, DynamicsSolve
from qfleet_wire.workload.echo import EchoResult, ProbeEcho
from qfleet_wire.workload.integration import (
    CauseOf,
    Direction,
    Operator,
    PhiEvaluate,
    PhiItem,
    PhiResult,
    PhiValue,
)
from qfleet_wire.workload.kernel import KernelBlock, KernelGroup, KernelMatrix, KernelResult, KernelValues
from qfleet_wire.workload.methods import NOISY, WITHOUT_VECTOR, Method, capability
from qfleet_wire.workload.noise import NoiseModel
from qfleet_wire.workload.parts import CircuitPart, PartItem, PartResult, PartValues, Place, vectors
from qfleet_wire.workload.variational import (
    TRACE,
    MinimisedStart,
    MinimiseStart,
    Optimiser,
    SampledString,
    VariationalMinimise,
    VariationalResult,
)

Work: TypeAlias = (
    CircuitSample
    | CircuitExpect
    | ProbeEcho
    | DynamicsSolve
    | AnnealSample
    | VariationalMinimise
    | AmplitudeEstimate
    | KernelMatrix
    | PhiEvaluate
    | CircuitPart
)
"""What a task runs. The tag is the workload's kind."""

WorkResult: TypeAlias = (
    SampleResult
    | ExpectResult
    | EchoResult
    | DynamicsResult
    | AnnealResult
    | VariationalResult
    | AmplitudeResult
    | KernelResult
    | PhiResult
    | PartResult
)

__all__ = [
    "NOISY",
    "READS_PER_BLOCK",
    "SHOTS_PER_BLOCK",
    "TRACE",
    "TRAJECTORIES_PER_BLOCK",
    "WITHOUT_VECTOR",
    "AmplitudeEstimate",
    "AmplitudeItem",
    "AmplitudeResult",
    "AmplitudeRound",
    "AmplitudeValue",
    "AnnealItem",
    "AnnealResult",
    "AnnealSample",
    "CauseOf",
    "CircuitExpect",
    "CircuitPart",
    "CircuitSample",
    "Confidence",
    "Direction",
    "DynamicsResult",
    "DynamicsSolve",
    "EchoResult",
    "EnergyLevel",
    "ExpectItem",
    "ExpectResult",
    "ExpectValues",
    "KernelBlock",
    "KernelGroup",
    "KernelMatrix",
    "KernelResult",
    "KernelValues",
    "LowState",
    "Method",
    "MinimiseStart",
    "MinimisedStart",
    "Moments",
    "NoiseModel",
    "Observable",
    "Operator",
    "Optimiser",
    "PartItem",
    "PartResult",
    "PartValues",
    "PauliTerm",
    "PhiEvaluate",
    "PhiItem",
    "PhiResult",
    "PhiValue",
    "Place",
    "ProbeEcho",
    "QuadraticModel",
    "SampleCounts",
    "SampleItem",
    "SampleResult",
    "SampledString",
    "Sampler",
    "VariableType",
    "VariationalMinimise",
    "VariationalResult",
    "Work",
    "WorkResult",
    "block_seed",
    "capability",
    "vectors",
]

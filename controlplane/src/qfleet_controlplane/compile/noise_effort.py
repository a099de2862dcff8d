"""What the noise of a compiled program is, and what it costs by each method."""

from dataclasses import dataclass

import msgspec

from qfleet_wire import circuit, circuit_facts, noise_load
from qfleet_wire.costs import NOTHING, Load
from qfleet_wire.program_load import ProgramLoad
from qfleet_wire.workload import Method, NoiseModel
from qfleet_wire.workload.noise import Rules


class NoiseEffort(msgspec.Struct, frozen=True, kw_only=True):
    """What is counted for a parameter point by the density matrix, and for trajectories.

    ``methods`` are those that are possible and wanted.
    """

    density: Load = NOTHING
    trajectories: ProgramLoad = ProgramLoad()
    methods: tuple[Method, ...] = ()


@dataclass(frozen=True, slots=True)
class CompiledNoise:
    """The rules that hold for a program, and what they cost."""

    model: NoiseModel
    effort: NoiseEffort


def effort(
    program: circuit.Program, model: NoiseModel, *, shots: int, methods: tuple[Method, ...]
) -> NoiseEffort:
    """Count a noisy program."""
    split = circuit_facts.split_static(program)
    density = NOTHING if split is None else noise_load.density(split.gates, Rules(model))
    return NoiseEffort(
        density=density,
        trajectories=noise_load.trajectories(program, model, shots),
        methods=methods,
    )

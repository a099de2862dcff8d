"""Feature selection on the machine where the data lie: the agent's tabu search as a local process.

The model is what a fleet would be given, and the seed draws the same reads.
"""

from dataclasses import dataclass

from qfleet_applications.errors import InvalidProblem, UnexpectedResult
from qfleet_applications.healthcare.site import Compute, engine
from qfleet_applications.qubo.model import Qubo
from qfleet_applications.qubo.sampling import Effort, State
from qfleet_wire import codec, workload
from qfleet_wire.workload import annealing

_MOST_BYTES = 1 << 26


@dataclass(frozen=True, slots=True)
class SiteSampler:
    """Samples by a local engine; ``compute`` is another only in tests."""

    compute: Compute = engine

    def states(self, qubo: Qubo, effort: Effort, seed: int) -> list[State]:
        """The lowest states, ascending in energy.

        Raises:
            InvalidProblem: the method needs a schedule that a control plane derives.
            UnexpectedResult: the engine answered something else.
        """
        if effort.method != "tabu":
            told = f"{effort.method} is not computed where the data lie"
            raise InvalidProblem(told, hint="take --method tabu, or let the model go with --placement fleet")
        reads = (workload.AnnealItem(0, effort.reads),)
        work = workload.AnnealSample(_model(qubo), seed, reads, "tabu", effort.sweeps, effort.keep)
        found = codec.decode(self.compute(codec.encode(work)), workload.AnnealResult, limit=_MOST_BYTES)
        if not found.states or any(8 * len(one.state) < len(qubo) for one in found.states):
            raise UnexpectedResult(f"the local engine answered no states of {len(qubo)} bits")
        every = [(tuple(annealing.bits_of(one.state, len(qubo))), one.reads) for one in found.states]
        # energies anew: an answer is not believed
        return sorted(
            (State(bits, qubo.energy(bits), count) for bits, count in every),
            key=lambda state: (state.energy, state.bits),
        )


def _model(qubo: Qubo) -> workload.QuadraticModel:
    pairs = sorted((pair, weight) for pair, weight in qubo.quadratic.items() if weight)
    heads, tails = tuple(one for (one, _), _ in pairs), tuple(other for (_, other), _ in pairs)
    biases = tuple(weight for _, weight in pairs)
    return workload.QuadraticModel("BINARY", tuple(qubo.linear), heads, tails, biases, qubo.offset)

"""Probes of annealing: a model whose lowest state was planted in it.

Every coupling and every field is as low as it can be in the planted state (a tree of couplings after a gauge
transformation: Mattis, Phys. Lett. A 56, 421, 1976), so no state is lower, and the energies of a state are
checked with any result. Fields hold every spin, so that there is no other valley: an honest read ends in the
planted state with a probability above 1/2 (in practice above 9/10), and all of the fewest reads miss it with
one below 1e-9.
"""

from qfleet_controlplane.planning.probes import works
from qfleet_controlplane.planning.probes.faults import Fault
from qfleet_controlplane.planning.probes.states import Stream
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, codec, workload
from qfleet_wire.workload import annealing

MOST_VARIABLES = 24
FEWEST_READS, MOST_READS = 32, 256
FEWEST_SWEEPS, MOST_SWEEPS = 200, 10_000


def make(parent: Specification, secret: bytes) -> Specification:
    """A model of the parent's type, sampled as the parent's is."""
    base = codec.decode(parent.problem, workload.AnnealSample)
    stream = Stream(secret + b"model")
    variables = max(2, min(MOST_VARIABLES, len(base.model.linear)))
    spins = _planted(secret, variables)
    lines = [f"# vartype={base.model.variable_type}"]
    for number, spin in enumerate(spins):
        lines.append(f"{number} {number} {-spin * works.between(stream, 0.5, 1.5)!r}")
        if number:
            other = stream.integer(number)
            coupling = works.between(stream, 0.5, 1.5)
            lines += _coupling(base.model.variable_type, (other, number), spins, coupling)
    work = api.AnnealRequest(
        model="\n".join(lines),
        method=base.sampler,
        reads=min(MOST_READS, max(FEWEST_READS, parent.shots)),
        sweeps=min(MOST_SWEEPS, max(FEWEST_SWEEPS, base.sweeps)),
        keep=base.keep,
    )
    return works.of(api.JobRequest(kind="anneal.sample", work=work), secret)


def fault(probe: Specification, result: workload.WorkResult) -> Fault | None:
    """The planted state is the lowest that was found."""
    if not isinstance(result, workload.AnnealResult):
        return Fault(f"a {type(result).__name__} answers no annealing", exact=True)
    model = codec.decode(probe.problem, workload.AnnealSample).model
    lowest = result.states[0]
    bits = [(spin + 1) // 2 for spin in _planted(probe.secret, len(model.linear))]
    if annealing.bits_of(lowest.state, len(bits)) == bits:
        return None
    planted = annealing.energy_of(model, annealing.values_of(model, bits))
    told = f"none of {result.reads} reads found the energy {planted:g}; the lowest is {lowest.energy:g}"
    return Fault(told, exact=False)


def _planted(secret: bytes, variables: int) -> list[int]:
    stream = Stream(secret + b"planted")
    return [2 * stream.integer(2) - 1 for _ in range(variables)]


def _coupling(kind: str, pair: tuple[int, int], spins: list[int], size: float) -> list[str]:
    """-size s s' for the planted values of a pair; of bits in the form that rewards each planted one alone.

    The product of bits is 1 only where both are 1: it is rewarded where both are planted so, else punished.
    """
    one, other = pair
    if kind == "SPIN":
        return [f"{one} {other} {-size * spins[one] * spins[other]!r}"]
    both = spins[one] == spins[other] == 1
    return [f"{one} {other} {-size if both else size!r}"]

"""Checks that a noise model means something before an engine relies on it."""

from qfleet_agent.engines.errors import WorkInvalid
from qfleet_wire import workload
from qfleet_wire.workload.noise import Rules

FINALS = 62
"""Most final measurements whose readings one int64 carries."""


def rules_of(work: workload.CircuitSample | workload.CircuitExpect) -> Rules:
    """Check the noise of a work and make it ready to be asked.

    Raises:
        WorkInvalid: there is none, or a probability or a qubit is out of range.
    """
    model = work.noise
    if model is None:
        raise WorkInvalid(f"the method {work.method!r} needs a noise model, and the work has none")
    for channel, probability in [(each.channel, each.probability) for each in model.gates] + [
        (each.channel, each.probability) for each in model.qubits
    ]:
        _check_probability(channel, probability)
    for entry in model.readout:
        _check_probability("readout", entry.zero_as_one)
        _check_probability("readout", entry.one_as_zero)
    _check_qubits(model, work.program.qubits)
    return Rules(model)


def check_finals(count: int) -> None:
    """Check that the final measurements fit into one word. Raises ``WorkInvalid``."""
    if count > FINALS:
        raise WorkInvalid(f"the program ends with {count} measurements; with noise {FINALS} are possible")


def _check_qubits(model: workload.NoiseModel, qubits: int) -> None:
    named = {each.qubit for each in model.qubits} | {each.qubit for each in model.readout}
    for qubit in sorted(named.union(*(rule.qubits for rule in model.gates))):
        if not 0 <= qubit < qubits:
            raise WorkInvalid(f"noise names qubit {qubit}; the program has {qubits}")


def _check_probability(what: str, probability: float) -> None:
    if not 0 <= probability <= 1:
        raise WorkInvalid(f"noise has a probability of {probability} for {what}")

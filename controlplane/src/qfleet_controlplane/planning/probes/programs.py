"""Probes of sampled outcomes and of expectation values.

- An outcome, sent backwards through the network (which only adds bits), is an outcome of each group, whose
  probabilities are known: chi-square per group.
- A product of Paulis, sent backwards (Aaronson, Gottesman, Phys. Rev. A 70, 052328, 2004), is one of each
  group, and its expectation value their product.
"""

from collections import Counter
from collections.abc import Sequence

from qfleet_controlplane.planning import agreement, merge
from qfleet_controlplane.planning.probes import drafts, states
from qfleet_controlplane.planning.probes.drafts import Draft
from qfleet_controlplane.planning.probes.faults import Fault
from qfleet_controlplane.planning.probes.states import Stream
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import circuit, codec, program_load, workload

MOST_GATES = 400
"""Gates of a probe: each costs the control plane some microseconds."""
MOST_SHOTS = 8192
FEWEST_SHOTS = 1024
MOST_OBSERVABLES = 8
IMPOSSIBLE = 1e-12
"""An outcome with a smaller probability never comes."""


def make(parent: Specification, secret: bytes) -> Specification:
    """A program of the width and about the length of the parent's."""
    stabilizer = parent.method == "stabilizer"
    stream = Stream(secret)
    qubits = max(1, parent.qubits)
    gates = min(MOST_GATES, max(4, parent.gates - 2 * qubits))
    drawn = drafts.draft(secret, qubits, gates, clifford=stabilizer)
    sampled = parent.kind == "circuit.sample"
    program = _program(drawn, qubits, measured=sampled)
    wanted = 0 if sampled else min(MOST_OBSERVABLES, max(1, len(parent.observables)))
    shots = min(MOST_SHOTS, max(FEWEST_SHOTS, parent.shots)) if sampled else 0
    observables = tuple(_observable(paulis) for paulis, _ in _known(drawn, secret, qubits, wanted))
    return Specification(
        kind=parent.kind,
        seed=stream.integer(1 << 48),
        items=1,
        shots=shots,
        points=((),),
        program=codec.encode(program),
        observables=observables,
        qubits=qubits,
        gates=gates,
        bits=qubits if sampled else 0,
        registers=(qubits,) if sampled else (),
        method="stabilizer" if stabilizer else "",
        clifford=stabilizer,
        load=program_load.of_program(program, shots),
        ending=program_load.values({term.paulis for each in observables for term in each.terms}),
        secret=secret,
        probe=True,
    )


def fault(probe: Specification, result: workload.WorkResult) -> Fault | None:
    """Say what is wrong with a valid answer to a probe; None when it is right."""
    drawn = drafts.draft(probe.secret, probe.qubits, probe.gates, clifford=probe.method == "stabilizer")
    if isinstance(result, workload.SampleResult):
        return _counts_fault(drawn, merge.counts([result])[0])
    if isinstance(result, workload.ExpectResult):
        known = _known(drawn, probe.secret, probe.qubits, len(probe.observables))
        return _values_fault([value for _, value in known], merge.values([result])[0])
    return Fault(f"a {type(result).__name__} answers no probe", exact=True)


def _program(drawn: Draft, qubits: int, *, measured: bool) -> circuit.Program:
    body = drafts.body(drawn)
    slots: tuple[circuit.Slot, ...] = ()
    if measured:
        slots = (circuit.Slot("c", circuit.ClassicalType("bit", qubits), output=True),)
        body += [circuit.Measure(qubit, 0, qubit) for qubit in range(qubits)]
    return circuit.Program(qubits, slots, (), tuple(body))


def _counts_fault(drawn: Draft, counts: merge.Counts) -> Fault | None:
    """Compare the counts of each group, before the network, with what its state says."""
    tables: list[Counter[int]] = [Counter() for _ in drawn.groups]
    for outcome, count in counts.counts.items():
        before = drafts.before(drawn, outcome)
        for table, group in zip(tables, drawn.groups, strict=True):
            table[drafts.restricted(before, group)] += count
    level = agreement.LEVEL / len(tables)
    for group, table, state in zip(drawn.groups, tables, drawn.states, strict=True):
        expected = states.probabilities(state)
        told = f"counts of qubits {', '.join(map(str, sorted(group)))}"
        if any(expected[outcome] < IMPOSSIBLE for outcome in table):
            return Fault(f"{told} hold an outcome that is impossible", exact=True)
        difference = agreement.expected_differ(table, expected, level)
        if difference is not None:
            return Fault(f"{told} {difference}", exact=False)
    return None


def _values_fault(known: Sequence[float], values: Sequence[merge.Value]) -> Fault | None:
    for number, (right, told) in enumerate(zip(known, values, strict=True)):
        if abs(told.mean - right) > agreement.TOLERANCE:
            return Fault(f"value {number} is {told.mean!r} instead of {right!r}", exact=True)
    return None


def _known(drawn: Draft, secret: bytes, qubits: int, number: int) -> list[tuple[str, float]]:
    """Products of Paulis over all qubits, one letter each, and their expectation values."""
    stream = Stream(secret + b"observables")
    found = []
    for _ in range(number):
        letters, value = ["I"] * qubits, 1.0
        for index in stream.shuffled(len(drawn.groups))[: 1 + stream.integer(2)]:
            group = drawn.groups[index]
            chosen = ["IXYZ"[stream.integer(4)] for _ in group]
            value *= states.expectation(drawn.states[index], chosen)
            for qubit, letter in zip(group, chosen, strict=True):
                letters[qubit] = letter
        sign = through(drawn.network, letters)
        found.append(("".join(letters), sign * value))
    return found


def through(network: Sequence[tuple[int, int]], letters: list[str]) -> float:
    """Send a product of Paulis forwards through CX gates, in place; return its sign."""
    x = [letter in "XY" for letter in letters]
    z = [letter in "ZY" for letter in letters]
    sign = 1.0
    for control, target in network:
        if x[control] and z[target] and x[target] == z[control]:
            sign = -sign
        x[target] ^= x[control]
        z[control] ^= z[target]
    for qubit, bits in enumerate(zip(x, z, strict=True)):
        letters[qubit] = {(False, False): "I", (True, False): "X", (True, True): "Y", (False, True): "Z"}[
            bits
        ]
    return sign


def _observable(letters: str) -> workload.Observable:
    paulis = tuple((letter, qubit) for qubit, letter in enumerate(letters) if letter != "I")
    text = " ".join(f"{letter}{qubit}" for letter, qubit in paulis) or "I0"
    return workload.Observable(text, (workload.PauliTerm(1.0, paulis),))

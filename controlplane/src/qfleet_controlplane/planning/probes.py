"""Tasks whose answer the control plane knows, of the kind and size of the work they are mixed into.

A probe's qubits are divided into hidden groups of up to four, each with a random program of its own whose
state is computed here; then a random network of CX gates runs over all of them. A device sees one random
program in which everything is entangled with everything. Whoever knows the groups knows the answer:

- an outcome, sent backwards through the network (which only adds bits), is an outcome of each group, whose
  probabilities are known: chi-square per group;
- a product of Paulis, sent backwards (Aaronson, Gottesman, Phys. Rev. A 70, 052328, 2004), is one of each
  group, and its expectation value their product.

Everything follows from the probe's secret, so nothing but that is stored.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from qfleet_controlplane.planning import agreement, merge, probe_states
from qfleet_controlplane.planning.probe_states import State, Stream
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, circuit, codec, program_load, workload

GROUP = 4
"""Most qubits of a group."""
MOST_GATES = 400
"""Gates of a probe: each costs the control plane some microseconds."""
MOST_SHOTS = 8192
FEWEST_SHOTS = 1024
MOST_OBSERVABLES = 8
IMPOSSIBLE = 1e-12
"""An outcome with a smaller probability never comes."""
_ONE_QUBIT = ("rx", "ry", "rz", "h", "t", "s", "sx")
_CLIFFORD = ("h", "s", "sdg", "sx", "x", "z")
_TURNING = frozenset({"rx", "ry", "rz", "p"})


class Fault(NamedTuple):
    """What is wrong with an answer; ``exact`` where no chance could explain it."""

    text: str
    exact: bool


class _Step(NamedTuple):
    name: str
    qubit: int
    angle: float = 0.0
    control: int | None = None


class _Draft(NamedTuple):
    """A program, the groups of qubits with their states, and the network that ties them together."""

    steps: tuple[_Step, ...]
    groups: tuple[tuple[int, ...], ...]
    states: tuple[State, ...]
    network: tuple[tuple[int, int], ...]
    """Control and target of each CX."""


def make(parent: Specification, secret: bytes, shots: int) -> Specification:
    """A probe for the work of ``parent``: a job of one task."""
    if parent.kind == "probe.echo":
        return Specification(kind=parent.kind, seed=parent.seed, items=1, secret=secret, probe=True)
    stabilizer = parent.method == "stabilizer"
    stream = Stream(secret)
    qubits = max(1, parent.qubits)
    gates = min(MOST_GATES, max(4, parent.gates - 2 * qubits))
    draft = _draft(secret, qubits, gates, clifford=stabilizer)
    sampled = parent.kind == "circuit.sample"
    program = _program(draft, qubits, measured=sampled)
    wanted = 0 if sampled else min(MOST_OBSERVABLES, max(1, len(parent.observables)))
    shots = min(MOST_SHOTS, max(FEWEST_SHOTS, shots)) if sampled else 0
    observables = tuple(_observable(paulis) for paulis, _ in _known(draft, secret, qubits, wanted))
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


def request(parent: api.JobRequest, probe: Specification, job: str) -> api.JobRequest:
    """What a person reads of a probe; devices see its work only."""
    return api.JobRequest(
        kind=parent.kind,
        name=f"probe of {job}",
        shots=probe.shots,
        observables=tuple(each.text for each in probe.observables),
        priority=parent.priority,
        time_limit_s=parent.time_limit_s,
        lost_after_s=parent.lost_after_s,
    )


def fault(probe: Specification, result: workload.WorkResult) -> Fault | None:
    """Say what is wrong with a valid answer to a probe; None when it is right."""
    if probe.kind == "probe.echo":
        return None  # a wrong echo is no valid answer
    draft = _draft(probe.secret, probe.qubits, probe.gates, clifford=probe.method == "stabilizer")
    if isinstance(result, workload.SampleResult):
        return _counts_fault(draft, merge.counts([result])[0])
    if isinstance(result, workload.ExpectResult):
        known = _known(draft, probe.secret, probe.qubits, len(probe.observables))
        return _values_fault([value for _, value in known], merge.values([result])[0])
    return Fault(f"a {type(result).__name__} answers no probe", exact=True)


def _draft(secret: bytes, qubits: int, gates: int, *, clifford: bool) -> _Draft:
    stream = Stream(secret + b"draft")
    order = stream.shuffled(qubits)
    groups = tuple(tuple(order[at : at + GROUP]) for at in range(0, qubits, GROUP))
    states: list[State] = [[1.0 + 0j] + [0j] * ((1 << len(group)) - 1) for group in groups]
    steps: list[_Step] = []
    for _ in range(gates):
        number = stream.integer(len(groups))
        steps.append(_step(stream, groups[number], states[number], clifford=clifford))
    network = []
    for _ in range(2 * qubits if qubits > 1 else 0):
        control, target = stream.integer(qubits), stream.integer(qubits - 1)
        network.append((control, target + (target >= control)))
    return _Draft(tuple(steps), groups, tuple(states), tuple(network))


def _step(stream: Stream, group: Sequence[int], state: State, *, clifford: bool) -> _Step:
    """Draw a gate within a group and apply it to the group's state."""
    place = stream.integer(len(group))
    if len(group) > 1 and stream.integer(3) == 0:
        other = stream.integer(len(group) - 1)
        other += other >= place
        name = "x" if clifford or stream.integer(2) else "p"
        angle = stream.angle() if name == "p" else 0.0
        probe_states.apply(state, probe_states.matrix(name, angle), place, other)
        return _Step(name, group[place], angle, group[other])
    names = _CLIFFORD if clifford else _ONE_QUBIT
    name = names[stream.integer(len(names))]
    angle = stream.angle() if name in _TURNING else 0.0
    probe_states.apply(state, probe_states.matrix(name, angle), place)
    return _Step(name, group[place], angle)


def _program(draft: _Draft, qubits: int, *, measured: bool) -> circuit.Program:
    body: list[circuit.Statement] = [_gate(step) for step in draft.steps]
    body += [_gate(_Step("x", target, control=control)) for control, target in draft.network]
    slots: tuple[circuit.Slot, ...] = ()
    if measured:
        slots = (circuit.Slot("c", circuit.ClassicalType("bit", qubits), output=True),)
        body += [circuit.Measure(qubit, 0, qubit) for qubit in range(qubits)]
    return circuit.Program(qubits, slots, (), tuple(body))


def _gate(step: _Step) -> circuit.Gate:
    angles = (circuit.Constant(step.angle),) if step.name in _TURNING else ()
    controls = () if step.control is None else (circuit.Control(step.control),)
    return circuit.Gate(step.name, (step.qubit,), angles, controls)  # type: ignore[arg-type]  # names of gates


def _counts_fault(draft: _Draft, counts: merge.Counts) -> Fault | None:
    """Compare the counts of each group, before the network, with what its state says."""
    tables: list[Counter[int]] = [Counter() for _ in draft.groups]
    for outcome, count in counts.counts.items():
        before = outcome
        for control, target in reversed(draft.network):
            before ^= (before >> control & 1) << target
        for table, group in zip(tables, draft.groups, strict=True):
            table[sum((before >> qubit & 1) << place for place, qubit in enumerate(group))] += count
    level = agreement.LEVEL / len(tables)
    for group, table, state in zip(draft.groups, tables, draft.states, strict=True):
        expected = probe_states.probabilities(state)
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


def _known(draft: _Draft, secret: bytes, qubits: int, number: int) -> list[tuple[str, float]]:
    """Products of Paulis over all qubits, one letter each, and their expectation values."""
    stream = Stream(secret + b"observables")
    found = []
    for _ in range(number):
        letters, value = ["I"] * qubits, 1.0
        for index in stream.shuffled(len(draft.groups))[: 1 + stream.integer(2)]:
            group = draft.groups[index]
            chosen = ["IXYZ"[stream.integer(4)] for _ in group]
            value *= probe_states.expectation(draft.states[index], chosen)
            for qubit, letter in zip(group, chosen, strict=True):
                letters[qubit] = letter
        sign = _through(draft.network, letters)
        found.append(("".join(letters), sign * value))
    return found


def _through(network: Sequence[tuple[int, int]], letters: list[str]) -> float:
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


def number_of(parent: Specification, tasks: int, all_tasks: int) -> int:
    """Probes to mix into so many of a job's tasks."""
    if parent.probe or not parent.probes or not tasks:
        return 0
    wanted = parent.probes * all_tasks if parent.probes < 1.0 else parent.probes
    return math.ceil(wanted * tasks / all_tasks)

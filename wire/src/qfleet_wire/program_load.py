"""What a program does on a state vector, counted for ``costs``: per task, per item, and per block of shots.

Of a dynamic program the shots of a block share a trajectory until an outcome parts them, so what
counts is the number of different histories. Here every measurement of a qubit whose value is not certain
doubles them, up to the number of shots; a branch is taken by half of them. Both are guesses: a
program whose outcomes are rarely 1, or known beforehand, has fewer.
"""

import math
from collections.abc import Iterable, Sequence

import msgspec

from qfleet_wire import circuit, circuit_facts, fusion_load
from qfleet_wire.costs import NOTHING, Load
from qfleet_wire.workload import SHOTS_PER_BLOCK

READ_PASSES = 1.0
"""Taking the distribution of outcomes from a state."""
DECIDE_PASSES = 1.4
"""Weighing a qubit's outcomes, projecting, normalising, and keeping a copy for the other outcome."""
_RELOAD_PASSES = 0.3
"""Beginning a block from the state before the first measurement."""
_CHECK, _ADD = 0.15, 0.4
"""Checking a gate, and building what applies it, in parts."""
_CLASSICAL_TURNS = 0.1
_STEERED_TURNS = 0.4
_UNKNOWN_PASSES = 4
"""Passes looked at of a loop of unknown length, each gone through by half of those before."""
_MOST_PASSES = 256
_ROW = 256
_DIRECT = 1024
"""Up to so many shots each looks at its own row of a state; more are sorted by rows …"""
_AT_ONCE = 64 * SHOTS_PER_BLOCK
"""… so many at a time."""
_SORTED, _OUTCOME = 0.03, 0.15
"""A shot that is sorted, and a distinct outcome that is written down, in looks."""
_SAMPLED, _ENDED, _DIAGONAL = 40.0, 15.0, 13.0
"""What taking any sample, the same at the end of a history, and evaluating any products of Z costs on the
smallest state, in looks."""
_BEGUN = 3.0
"""What beginning any program costs, in parts."""


class ProgramLoad(msgspec.Struct, frozen=True, omit_defaults=True):
    """A program's work: once a task, once a parameter point, once a block of ``block_shots`` shots."""

    task: Load = NOTHING
    item: Load = NOTHING
    block: Load = NOTHING
    block_shots: int = 0
    """0 for a static program, and where nothing was counted."""
    sampled: bool = False
    """Whether a dynamic program ends in measurements, which are drawn from the states of its histories."""

    @property
    def known(self) -> bool:
        """Whether it was counted."""
        return bool(self.item.items)


def of_program(program: circuit.Program, shots: int = 0) -> ProgramLoad:
    """Count a program that is run ``shots`` times per parameter point."""
    split = circuit_facts.split_static(program)
    if split is not None:
        run = fusion_load.count(split.gates, program.qubits)
        steps, shared = run.whole.steps, run.shared
        own = Load(steps=steps - shared.steps, passes=run.whole.passes - shared.passes)
        prepared = Load(parts=_BEGUN + run.fixed_parts + _CHECK * len(split.gates))
        each = Load(items=1, parts=run.bound_parts + _ADD * own.steps)
        return ProgramLoad(prepared + shared, own + each)
    block_shots = max(1, min(shots, SHOTS_PER_BLOCK))
    walk = _Walk(program.qubits, block_shots)
    end = _before_finals(program.body)
    walk.body(program.body[:end])
    walk.flush()
    item = walk.origin + Load(items=1, parts=walk.parts)
    ends = Load(passes=_RELOAD_PASSES + READ_PASSES * walk.groups, histories=walk.groups)
    sampled = any(isinstance(each, circuit.Measure) for each in program.body[end:])
    return ProgramLoad(Load(parts=_BEGUN), item, walk.block + ends, block_shots, sampled)


def drawing(shots: int, qubits: int, bits: int) -> Load:
    """Count drawing so many shots from a state, outcomes of ``bits`` bits; as if all were as likely."""
    looks = float(shots)
    if shots > _DIRECT:
        rows = 2.0 ** max(0, qubits - 8)
        calls, rest = divmod(shots, _AT_ONCE)
        looks = calls * distinct(_AT_ONCE, rows) + distinct(rest, rows) + _SORTED * shots
    share = min(1.0, 2.0**qubits / _ROW)
    written = _OUTCOME * distinct(shots, 2.0 ** min(bits, qubits, 60))
    return Load(draws=_SAMPLED + looks * share + written)


def drawing_at_ends(counted: ProgramLoad, qubits: int, bits: int) -> Load:
    """Count drawing a block's shots from the states of their histories, as ``drawing`` counts them."""
    if not counted.sampled:
        return NOTHING
    begun = Load(draws=_ENDED * counted.block.histories)
    return begun + drawing(counted.block_shots, qubits, bits)


def distinct(balls: float, boxes: float) -> float:
    """Expected number of boxes that are hit when balls fall into any of them alike."""
    if balls <= 0:
        return 0.0
    return float(-boxes * math.expm1(-balls / boxes)) if boxes < 1e3 * balls else float(balls)


def values(terms: Iterable[Sequence[tuple[str, int]]]) -> Load:
    """Count the expectation values of Pauli products in a state; products of Z alone are taken together."""
    diagonal = other = 0
    for paulis in terms:
        if all(letter == "Z" for letter, _ in paulis):
            diagonal += 1
        else:
            other += 1
    together = Load(passes=2.0 + 0.06 * diagonal, draws=_DIAGONAL) if diagonal else NOTHING
    return together + Load(passes=1.15 * other, steps=other, parts=0.1 * (diagonal + other))


class _Walk:
    """Follows the groups of shots of one block through a program's statements."""

    def __init__(self, qubits: int, shots: int) -> None:
        self._qubits, self._shots = qubits, shots
        self._certain = set(range(qubits))
        self._doublings = 0.0
        self._weight = 1.0
        self._parted = False
        self._run: list[circuit.Gate] = []
        self.parts = 0.0
        self.origin = NOTHING
        self.block = NOTHING

    @property
    def groups(self) -> float:
        """Different histories so far."""
        return distinct(self._shots, 2.0 ** min(self._doublings, 60.0)) if self._doublings else 1.0

    def body(self, statements: Sequence[circuit.Statement]) -> None:
        """Go through statements."""
        for statement in statements:
            if isinstance(statement, circuit.Gate) and all(map(circuit_facts.is_fixed, statement.arguments)):
                self._run.append(statement)
                self._touch(statement)
                continue
            self.flush()
            self._other(statement)

    def flush(self) -> None:
        """Count the gates that run as one step."""
        if self._run:
            run = fusion_load.count(self._run, self._qubits)
            self.parts += run.fixed_parts + run.bound_parts + _CHECK * len(self._run)
            self._add(run.whole + Load(turns=_CLASSICAL_TURNS))
            self._run = []

    def _other(self, statement: circuit.Statement) -> None:
        match statement:
            case circuit.Gate():
                self._touch(statement)
                self._add(Load(steps=1, passes=1, turns=_STEERED_TURNS))
            case circuit.Measure(qubit=qubit) | circuit.Reset(qubit=qubit):
                self._decide(qubit)
            case circuit.If(then=then, otherwise=otherwise):
                self._branch(then, otherwise)
            case circuit.While(body=body):
                self._loop(body, _UNKNOWN_PASSES, 0.5)
            case circuit.For(body=body):
                self._loop(body, passes(statement), 1.0)
            case _:
                self._add(Load(turns=_CLASSICAL_TURNS))

    def _add(self, load: Load) -> None:
        if self._parted:
            self.block += load * (self.groups * self._weight)
        else:
            self.origin += load * self._weight

    def _decide(self, qubit: int) -> None:
        self._parted = True
        self._add(Load(turns=1, steps=3, passes=DECIDE_PASSES))
        if qubit not in self._certain:
            self._doublings += self._weight
            self._certain.add(qubit)

    def _branch(self, then: Sequence[circuit.Statement], otherwise: Sequence[circuit.Statement]) -> None:
        self._add(Load(turns=_CLASSICAL_TURNS))
        weight, self._weight = self._weight, self._weight / 2
        for body in (then, otherwise):
            self.body(body)
            self.flush()
        self._weight = weight

    def _loop(self, body: Sequence[circuit.Statement], count: int, share: float) -> None:
        weight, looked_at = self._weight, min(count, _MOST_PASSES)
        before = self.block + self.origin
        for _ in range(looked_at):
            self._add(Load(turns=_CLASSICAL_TURNS))
            self.body(body)
            self.flush()
            self._weight *= share
        self._weight = weight
        if looked_at < count:  # the rest as the mean of what was looked at
            done = self.block + self.origin + before * -1.0
            self.block += done * ((count - looked_at) / looked_at)

    def _touch(self, gate: circuit.Gate) -> None:
        """A flip keeps certain qubits certain, and so does what is diagonal; all else leaves doubt."""
        qubits = circuit_facts.qubits_of(gate)
        if gate.name in _PERMUTES and all(qubit in self._certain for qubit in qubits):
            return
        if gate.name in _PHASES:
            return
        controls = {control.qubit for control in gate.controls}
        self._certain -= set(qubits) - controls


_PERMUTES = frozenset({"id", "x", "y", "swap"})
_PHASES = frozenset({"z", "s", "sdg", "t", "tdg", "p", "rz", "gphase"})


def passes(loop: circuit.For) -> int:
    """Passes of a loop, if its length is known; else a few."""
    match loop:
        case circuit.For(
            start=circuit.Constant(start), step=circuit.Constant(step), stop=circuit.Constant(stop)
        ) if step:
            return max(0, int((stop - start) // step) + 1)
        case _:
            return _UNKNOWN_PASSES


def _before_finals(body: Sequence[circuit.Statement]) -> int:
    end = len(body)
    while end and isinstance(body[end - 1], circuit.Measure):
        end -= 1
    return end

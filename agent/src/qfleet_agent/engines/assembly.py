"""Programs turned into flat lists of prebuilt steps, so that a shot neither parses nor builds.

Structured control flow becomes positions; a loop keeps its counter in a hidden slot, so that a
group of shots can part in the middle of it. Gates whose arguments are constants or parameters are built
when the code is assembled, once per parameter point at most; the others when their values are new.
"""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

import qulacs
from qulacs import gate as gates

from qfleet_agent.engines import diagonals, fusion, kernels, matrices
from qfleet_agent.engines.errors import ProgramFailed, WorkInvalid
from qfleet_agent.engines.expressions import Reader, Scope, Slots
from qfleet_agent.engines.trajectories import Code, Machine, Step
from qfleet_wire import circuit, circuit_facts, circuit_values

_KEPT_GATES = 256


class _Label:
    """A position that is known once the code around it is laid out."""

    position = -1


Extension: TypeAlias = Callable[[Any, int], Step]
"""Builds the step of a statement that is none of the wire's, given its position; the step draws numbers."""


class Planner:
    """What assembling a program learns once for all its parameter points.

    ``extensions`` are by type of a statement that the program's body holds beside those of the wire.
    """

    def __init__(
        self, program: circuit.Program, extensions: Mapping[type, Extension] = MappingProxyType({})
    ) -> None:
        self.program = program
        self.extensions = extensions
        self.fuse = program.qubits >= fusion.FROM_QUBITS
        self._plans: dict[tuple[int, int], list[fusion.Block]] = {}

    def blocks(
        self, body: Sequence[circuit.Statement], start: int, run: list[circuit.Gate]
    ) -> list[fusion.Block]:
        """Return the fusion plan of the run of gates that begins at ``body[start]``."""
        key = (id(body), start)
        if key not in self._plans:
            self._plans[key] = fusion.plan(run, fuse=self.fuse)
        return self._plans[key]


def assemble(planner: Planner, body: Sequence[circuit.Statement], parameters: Sequence[float]) -> Code:
    """Assemble ``body``, the statements before the final measurements, for one parameter point."""
    assembler = _Assembler(planner, parameters)
    assembler.lay(body)
    return assembler.code()


class _Assembler:
    def __init__(self, planner: Planner, parameters: Sequence[float]) -> None:
        slots = planner.program.slots
        self._planner = planner
        self._scope = Scope(slots, parameters)
        self._steps: list[Step] = []
        self._stochastic: list[bool] = []
        self._slots = [circuit_values.convert(slot.type, slot.initial) for slot in slots]
        self._loops: list[tuple[_Label, _Label]] = []
        self._end = _Label()
        self._statements: dict[type, Callable[..., None]] = {
            circuit.Gate: self._gate,
            circuit.Measure: self._measure,
            circuit.Reset: self._reset,
            circuit.Assign: self._assign,
            circuit.If: self._if,
            circuit.While: self._while,
            circuit.For: self._for,
            circuit.Break: lambda statement: self._jump(self._loop(statement)[1]),
            circuit.Continue: lambda statement: self._jump(self._loop(statement)[0]),
            circuit.End: lambda _: self._jump(self._end),
        }
        for kind, build in planner.extensions.items():
            self._statements[kind] = functools.partial(self._extended, build)

    def code(self) -> Code:
        """Return what was laid out."""
        self._end.position = len(self._steps) + 1
        return Code(tuple(self._steps), tuple(self._stochastic), tuple(self._slots))

    def lay(self, body: Sequence[circuit.Statement]) -> None:
        """Append the steps of a body, runs of gates that no variable steers as one step each."""
        index = 0
        while index < len(body):
            run = _run_from(body, index)
            if run:
                self._segment(self._planner.blocks(body, index, run))
                index += len(run)
                continue
            statement = body[index]
            self._statements[type(statement)](statement)
            index += 1

    def _append(self, step: Step, *, stochastic: bool = False) -> None:
        self._steps.append(step)
        self._stochastic.append(stochastic)

    def _segment(self, blocks: list[fusion.Block]) -> None:
        following = len(self._steps) + 1
        built = circuit_of(blocks, self._planner.program.qubits, self._bind)

        def step(machine: Machine) -> int:
            built.update_quantum_state(machine.state)
            return following

        self._append(step)

    def _bind(self, statement: circuit.Gate) -> tuple[float, ...]:
        return bound(self._scope, statement)

    def _gate(self, statement: circuit.Gate) -> None:
        following = len(self._steps) + 1
        readers = [self._scope.reader(argument) for argument in statement.arguments]

        @functools.lru_cache(maxsize=_KEPT_GATES)
        def build(*arguments: float) -> qulacs.QuantumGateBase | None:
            item = matrices.primitive(statement, arguments)
            return None if item is None else kernels.kernel(item)

        def step(machine: Machine) -> int:
            built = build(*[_angle(reader(machine.slots), statement) for reader in readers])
            if built is not None:
                built.update_quantum_state(machine.state)
            return following

        self._append(step)

    def _extended(self, build: Extension, statement: object) -> None:
        self._append(build(statement, len(self._steps)), stochastic=True)

    def _measure(self, statement: circuit.Measure) -> None:
        here, qubit, slot = len(self._steps), statement.qubit, statement.slot
        if slot is None:

            def forget(machine: Machine) -> int:
                machine.measure(qubit, here)
                return here + 1

            self._append(forget, stochastic=True)
            return
        write = self._bit_writer(slot)

        def step(machine: Machine) -> int:
            outcome = machine.measure(qubit, here)
            write(machine.slots, statement.bit, outcome)
            return here + 1

        self._append(step, stochastic=True)

    def _reset(self, statement: circuit.Reset) -> None:
        here, qubit, flip = len(self._steps), statement.qubit, gates.X(statement.qubit)

        def step(machine: Machine) -> int:
            if machine.measure(qubit, here):
                flip.update_quantum_state(machine.state)
            return here + 1

        self._append(step, stochastic=True)

    def _assign(self, statement: circuit.Assign) -> None:
        following = len(self._steps) + 1
        value, slot = self._scope.reader(statement.value), statement.slot
        if statement.index is not None:
            index, write = self._scope.integer_reader(statement.index), self._bit_writer(slot)

            def write_bit(machine: Machine) -> int:
                slots = machine.slots
                write(slots, index(slots), int(bool(value(slots))))
                return following

            self._append(write_bit)
            return
        kind = self._scope.slot(slot).type

        def step(machine: Machine) -> int:
            machine.slots[slot] = circuit_values.convert(kind, value(machine.slots))
            return following

        self._append(step)

    def _bit_writer(self, slot: int) -> Callable[[Slots, int, int], None]:
        """Return a function that writes one bit; a bit outside the slot is not written."""
        kind = self._scope.slot(slot).type

        def write(slots: Slots, index: int, value: int) -> None:
            if 0 <= index < kind.width:
                bits = int(slots[slot]) & ~(1 << index) | value << index
                slots[slot] = circuit_values.convert(kind, bits)

        return write

    def _if(self, statement: circuit.If) -> None:
        otherwise, after = _Label(), _Label()
        self._branch(self._scope.reader(statement.condition), otherwise)
        self.lay(statement.then)
        if statement.otherwise:
            self._jump(after)
        otherwise.position = len(self._steps)
        self.lay(statement.otherwise)
        after.position = len(self._steps)

    def _while(self, statement: circuit.While) -> None:
        start, after = _Label(), _Label()
        start.position = len(self._steps)
        self._branch(self._scope.reader(statement.condition), after)
        self._loops.append((start, after))
        self.lay(statement.body)
        self._loops.pop()
        self._jump(start)
        after.position = len(self._steps)

    def _for(self, statement: circuit.For) -> None:
        advance, after = _Label(), _Label()
        counter = len(self._slots)
        self._slots.extend((0, 0, 0))  # next value, step, stop
        self._append(_enter(self._scope, statement, counter, len(self._steps) + 1))
        advance.position = len(self._steps)
        self._append(
            _next(self._scope.slot(statement.slot), statement.slot, counter, (len(self._steps) + 1, after))
        )
        self._loops.append((advance, after))
        self.lay(statement.body)
        self._loops.pop()
        self._jump(advance)
        after.position = len(self._steps)

    def _branch(self, condition: Reader, otherwise: _Label) -> None:
        following = len(self._steps) + 1
        self._append(lambda machine: following if condition(machine.slots) else otherwise.position)

    def _jump(self, target: _Label) -> None:
        self._append(lambda _: target.position)

    def _loop(self, statement: circuit.Statement) -> tuple[_Label, _Label]:
        if not self._loops:
            raise WorkInvalid(f"{type(statement).__name__.lower()} stands outside a loop")
        return self._loops[-1]


def bound(scope: Scope, statement: circuit.Gate) -> tuple[float, ...]:
    """Return the values of arguments that read no slot."""
    return tuple(_angle(scope.reader(argument)([]), statement) for argument in statement.arguments)


def circuit_of(blocks: Sequence[fusion.Block], qubits: int, bind: fusion.Bind) -> qulacs.QuantumCircuit:
    """Build the blocks as one qulacs circuit."""
    built = qulacs.QuantumCircuit(qubits)
    items = itertools.chain.from_iterable(block.primitives(bind) for block in blocks)
    for item in diagonals.gather(items) if qubits >= diagonals.FROM_QUBITS else items:
        built.add_gate(kernels.kernel(item))
    return built


def _run_from(body: Sequence[circuit.Statement], start: int) -> list[circuit.Gate]:
    run: list[circuit.Gate] = []
    for statement in body[start:]:
        if not isinstance(statement, circuit.Gate) or not all(
            map(circuit_facts.is_fixed, statement.arguments)
        ):
            break
        run.append(statement)
    return run


def _angle(value: circuit_values.Value, statement: circuit.Gate) -> float:
    angle = float(value)
    if not abs(angle) < float("inf"):
        raise ProgramFailed(f"gate {statement.name} has the argument {angle}, which is no angle")
    return angle


def _enter(scope: Scope, statement: circuit.For, counter: int, following: int) -> Step:
    start, step, stop = (scope.reader(part) for part in (statement.start, statement.step, statement.stop))

    def enter(machine: Machine) -> int:
        slots = machine.slots
        slots[counter : counter + 3] = start(slots), step(slots), stop(slots)
        if slots[counter + 1] == 0:
            raise ProgramFailed("a for loop has the step 0")
        return following

    return enter


def _next(declared: circuit.Slot, slot: int, counter: int, targets: tuple[int, _Label]) -> Step:
    inside, after = targets

    def advance(machine: Machine) -> int:
        slots = machine.slots
        value, step, stop = slots[counter : counter + 3]
        if value > stop if step > 0 else value < stop:
            return after.position
        slots[slot] = circuit_values.convert(declared.type, value)
        slots[counter] = value + step
        return inside

    return advance

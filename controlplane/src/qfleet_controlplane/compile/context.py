"""The state of one compilation: slots, the block being written, what is known, what is left.

Values of variables are followed as far as they are known at compile time, so that a loop bound
or an index held in a variable is as good as a literal. ``level`` counts the branches and loops
of the compiled program around the present place: at a deeper level, nothing is certain to run.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

from openqasm import ast

from qfleet_controlplane.compile import typed
from qfleet_controlplane.compile.errors import Placed, refuse
from qfleet_controlplane.compile.places import Places
from qfleet_controlplane.compile.scopes import Entry, Scope, Variable
from qfleet_controlplane.compile.typed import Typed
from qfleet_wire import circuit
from qfleet_wire.circuit_values import Value
from qfleet_wire.limits import LIMITS

STEPS = 500_000
"""Statements, gates and loop passes that a compilation may go through."""

STATEMENTS = 150_000
"""Statements of a compiled program; more do not fit a message to a device."""

_SHORTER = "shorten the program, or keep the loop's bounds out of qubit indices"


class Flow(Enum):
    """How control leaves a block."""

    NEXT = "next"
    BREAK = "break"
    CONTINUE = "continue"
    RETURN = "return"
    END = "end"


@dataclass(slots=True)
class Escape:
    """A place that ``break``, ``continue`` or ``return`` leads to.

    ``kind`` is ``pass`` (one pass of an unrolled loop, for ``continue``), ``unrolled`` (all of
    one), ``loop`` (a loop of the compiled program) or ``function``. A jump from a deeper level
    than the escape's own sets its flag, and what follows is guarded by the flag.
    """

    kind: str
    level: int
    flag: int | None = None
    result: Variable | None = None


@dataclass(slots=True)
class Context:
    """One compilation.

    ``run`` compiles statements in the present scope, ``call`` a subroutine's call, which gives
    its value or None; both are set from above, for expressions contain calls and calls contain
    statements.
    """

    legacy: bool
    scope: Scope
    run: Callable[["Context", Sequence[ast.Statement]], Flow]
    call: Callable[["Context", ast.Node, ast.SubroutineDefinition, Sequence[ast.Node]], Typed | None]
    places: Places = field(default_factory=Places)
    slots: list[circuit.Slot] = field(default_factory=list)
    block: list[circuit.Statement] = field(default_factory=list)
    known: dict[int, Value] = field(default_factory=dict)
    escapes: list[Escape] = field(default_factory=list)
    pending: set[int] = field(default_factory=set)
    written: set[int] = field(default_factory=set)
    ended: bool = False
    inputs: Mapping[str, Typed] = field(default_factory=dict)
    declares_outputs: bool = False
    top: int = 0
    returned: list[int] = field(default_factory=list)
    qubits: int = 0
    hardware: bool = False
    level: int = 0
    loops: int = 0
    calls: int = 0
    steps: int = 0
    statements: int = 0
    expansions: dict[object, tuple[circuit.Gate, ...]] = field(default_factory=dict)

    def spend(self, node: Placed, steps: int = 1) -> None:
        """Count work.

        Raises:
            ProgramRefused: the program asks for more than ``STEPS``.
        """
        self.steps += steps
        if self.steps > STEPS:
            raise refuse(node, f"the program unfolds to more than {STEPS} steps", _SHORTER)

    def emit(self, node: Placed, statement: circuit.Statement) -> None:
        """Append a statement to the present block.

        Raises:
            ProgramRefused: the program becomes too long.
        """
        self.statements += 1
        if self.statements > STATEMENTS:
            raise refuse(node, f"the program unfolds to more than {STATEMENTS} statements", _SHORTER)
        slot = getattr(statement, "slot", None)
        if slot is not None:
            self.written.add(slot)
        elif isinstance(statement, circuit.End):
            self.ended = True
        self.places.note(node, statement)
        self.block.append(statement)

    def checked(self, node: Placed, value: Typed) -> circuit.Expression:
        """The value's expression, for use in a statement at this place.

        Raises:
            ProgramRefused: it is nested too deeply to send to a device.
        """
        expression = value.expression
        if isinstance(expression, circuit.Constant):
            return expression
        depth, size = typed.extent(expression)
        self.statements += size // 8
        if depth + self.level > LIMITS.program_depth:
            raise refuse(
                node,
                f"nested more than {LIMITS.program_depth} deep",
                "store parts of the expression in variables, or flatten the branches around it",
            )
        return expression

    def find(self, identifier: ast.Identifier) -> Entry:
        """What a name stands for.

        Raises:
            ProgramRefused: nothing here.
        """
        entry = self.scope.find(identifier.name)
        if entry is None:
            raise refuse(identifier, f"'{identifier.name}' cannot be used here")
        return entry

    def slot(self, name: str, type_: circuit.ClassicalType, initial: Value = 0) -> int:
        """A new slot."""
        self.slots.append(circuit.Slot(name, type_, initial))
        return len(self.slots) - 1

    def assign(self, node: Placed, slot: int, value: Typed) -> None:
        """Assign a value of the slot's type to the slot."""
        if not self.preset(slot, value):
            self.emit(node, circuit.Assign(slot, self.checked(node, value)))
            self.learn(slot, value)

    def preset(self, slot: int, value: Typed) -> bool:
        """Make a known value the slot's initial one, if nothing can tell the difference.

        So it is where control is certain to come, and nothing has written the slot yet: then
        nothing has read it either, for what is known is folded where it is read.
        """
        constant = value.constant
        if constant is None or self.level or self.ended or slot in self.written or slot not in self.known:
            return False
        held = self.slots[slot]
        self.slots[slot] = circuit.Slot(held.name, held.type, constant)
        self.known[slot] = constant
        return True

    def learn(self, slot: int, value: Typed | None) -> None:
        """Note what a slot holds from here on."""
        if value is not None and value.constant is not None:
            self.known[slot] = value.constant
        else:
            self.known.pop(slot, None)

    def forget(self, slots: Iterable[int]) -> None:
        """Note that slots may hold anything from here on."""
        for slot in slots:
            self.known.pop(slot, None)

    def read(self, variable: Variable) -> Typed:
        """A variable's value, folded if it is known."""
        value = self.known.get(variable.slot)
        if value is not None:
            return typed.literal(value, variable.type)
        return Typed(circuit.Variable(variable.slot), variable.type)

    def declare(self, node: Placed, name: str, type_: circuit.ClassicalType, value: Typed | None) -> Variable:
        """A new variable of the present scope with a value of its type, else 0.

        Where control comes but once, a known value is the slot's initial one.
        """
        zero = typed.literal(0.0 if type_.kind in ("float", "angle") else 0, type_)
        start = zero if value is None else value
        variable = Variable(self.slot(name, type_), type_)
        self.scope.names[name] = variable
        if start.constant is not None and not self.loops:
            self.slots[variable.slot] = circuit.Slot(name, type_, start.constant)
            self.known[variable.slot] = start.constant
        else:
            self.assign(node, variable.slot, start)
        return variable

    @contextmanager
    def scoped(self, parent: Scope | None = None) -> Iterator[None]:
        """A block's scope; what is known of its variables goes with it."""
        around = self.scope
        self.scope = Scope(around if parent is None else parent)
        try:
            yield
        finally:
            inner, self.scope = self.scope, around
            self.forget(entry.slot for entry in inner.names.values() if isinstance(entry, Variable))

    @contextmanager
    def nested(self, node: Placed, *, loop: bool = False) -> Iterator[list[circuit.Statement]]:
        """A block of the compiled program, one level deeper.

        Raises:
            ProgramRefused: branches and loops are nested too deeply.
        """
        if self.level >= LIMITS.program_depth - 2:
            raise refuse(node, f"nested more than {LIMITS.program_depth} deep", "flatten branches and loops")
        around, self.block = self.block, []
        self.level += 1
        self.loops += loop
        try:
            yield self.block
        finally:
            self.block = around
            self.level -= 1
            self.loops -= loop

    def branch(
        self,
        node: Placed,
        condition: Typed,
        then: Callable[[], object],
        otherwise: Callable[[], object] | None = None,
    ) -> None:
        """Emit an ``If`` on a condition that is not known; afterwards only what both know is known."""
        expression = self.checked(node, condition)
        self.spend(node, 1 + len(self.known) // 64)
        before = dict(self.known)
        with self.nested(node) as first:
            then()
        after, self.known = self.known, before
        with self.nested(node) as second:
            if otherwise is not None:
                otherwise()
        self.known = {slot: value for slot, value in self.known.items() if _same(after.get(slot), value)}
        if first or second:
            self.emit(node, circuit.If(expression, tuple(first), tuple(second)))

    def guard(self, node: Placed, before: set[int], body: Callable[[], object]) -> None:
        """Run a body unless a flag that is not in ``before`` has been raised."""
        raised = self.pending - before
        self.pending = set(before)
        self.branch(node, self.unset(raised), body)
        self.pending |= raised

    def unset(self, flags: Iterable[int]) -> Typed:
        """The condition that none of these flags is set."""
        tests = [circuit.Unary("!", circuit.Variable(flag)) for flag in sorted(flags)]
        return Typed(balanced("&&", tests), typed.BOOL)


def _same(left: Value | None, right: Value) -> bool:
    return type(left) is type(right) and left == right


def balanced(operator: circuit.BinaryOperator, terms: Sequence[circuit.Expression]) -> circuit.Expression:
    """Terms joined by an associative operator in a tree of logarithmic depth."""
    if len(terms) == 1:
        return terms[0]
    middle = len(terms) // 2
    left, right = balanced(operator, terms[:middle]), balanced(operator, terms[middle:])
    return circuit.Binary(operator, left, right)

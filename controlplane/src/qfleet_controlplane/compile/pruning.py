"""What a program computes and nobody reads is left out.

Values that were followed at compile time leave assignments behind that no one reads; without
them a program is often static, and static programs run many times faster. A measurement whose
outcome nobody reads stays, for it acts on the state.
"""

from collections.abc import Callable, Iterable, Sequence

from qfleet_wire import circuit, circuit_facts
from qfleet_wire.circuit import Expression, Statement

Body = tuple[Statement, ...]

ROUNDS = 16
"""How often a branch that became empty may make the values of its condition unread."""


def prune(body: Body, slots: Sequence[circuit.Slot]) -> tuple[Body, tuple[circuit.Slot, ...]]:
    """Drop assignments and slots that no output, branch or gate depends on; renumber the rest."""
    for _ in range(ROUNDS):
        live = _live(body, slots)
        kept = _filtered(body, live)
        if kept == body:
            break
        body = kept
    else:
        live = _live(body, slots)
        body = _filtered(body, live)
    if len(live) == len(slots):
        return body, tuple(slots)
    numbers = {slot: number for number, slot in enumerate(sorted(live))}
    return _renumbered(body, numbers), tuple(slots[slot] for slot in sorted(live))


def _live(body: Body, slots: Sequence[circuit.Slot]) -> set[int]:
    """Slots whose values matter: outputs, and what conditions, gates and live slots read."""
    live = {number for number, slot in enumerate(slots) if slot.output}
    feeds: dict[int, set[int]] = {}
    for statement in circuit_facts.walk(body):
        match statement:
            case circuit.Gate(arguments=arguments):
                live.update(*map(_reads, arguments))
            case circuit.If(condition=condition) | circuit.While(condition=condition):
                live |= _reads(condition)
            case circuit.For(slot=slot, start=start, step=step, stop=stop):
                live |= {slot} | _reads(start) | _reads(step) | _reads(stop)
            case circuit.Assign(slot=slot, value=value, index=index):
                read = _reads(value) | (set() if index is None else _reads(index))
                feeds.setdefault(slot, set()).update(read)
            case _:
                continue
    waiting = list(live)
    while waiting:
        for slot in feeds.pop(waiting.pop(), set()) - live:
            live.add(slot)
            waiting.append(slot)
    return live


def _reads(expression: Expression) -> set[int]:
    match expression:
        case circuit.Variable(slot=slot):
            return {slot}
        case circuit.BitOf(slot=slot, index=index):
            return {slot} | _reads(index)
        case circuit.Unary(operand=operand) | circuit.Convert(operand=operand):
            return _reads(operand)
        case circuit.Binary(left=left, right=right):
            return _reads(left) | _reads(right)
        case _:
            return set()


def _filtered(body: Body, live: set[int]) -> Body:
    kept: list[Statement] = []
    for statement in body:
        match statement:
            case circuit.Assign(slot=slot) if slot not in live:
                continue
            case circuit.Measure(qubit=qubit, slot=slot) if slot is not None and slot not in live:
                kept.append(circuit.Measure(qubit))
            case circuit.If(condition=condition, then=then, otherwise=otherwise):
                first, second = _filtered(then, live), _filtered(otherwise, live)
                if first or second:
                    kept.append(circuit.If(condition, first, second))
            case circuit.While(condition=condition, body=inner):
                kept.append(circuit.While(condition, _filtered(inner, live)))
            case circuit.For(slot, start, step, stop, inner):
                kept.append(circuit.For(slot, start, step, stop, _filtered(inner, live)))
            case _:
                kept.append(statement)
    return tuple(kept)


def _renumbered(body: Iterable[Statement], numbers: dict[int, int]) -> Body:
    def expression(each: Expression) -> Expression:
        return _moved(each, numbers)

    return tuple(_statement(each, numbers, expression) for each in body)


def _statement(  # noqa: PLR0911 - one return for each kind of statement
    statement: Statement, numbers: dict[int, int], moved: Callable[[Expression], Expression]
) -> Statement:
    match statement:
        case circuit.Gate(name, qubits, arguments, controls, power) if arguments:
            return circuit.Gate(name, qubits, tuple(map(moved, arguments)), controls, power)
        case circuit.Measure(qubit, slot, bit) if slot is not None:
            return circuit.Measure(qubit, numbers[slot], bit)
        case circuit.Assign(slot, value, index):
            return circuit.Assign(numbers[slot], moved(value), None if index is None else moved(index))
        case circuit.If(condition, then, otherwise):
            first, second = _renumbered(then, numbers), _renumbered(otherwise, numbers)
            return circuit.If(moved(condition), first, second)
        case circuit.While(condition, inner):
            return circuit.While(moved(condition), _renumbered(inner, numbers))
        case circuit.For(slot, start, step, stop, inner):
            bounds = (moved(start), moved(step), moved(stop))
            return circuit.For(numbers[slot], *bounds, _renumbered(inner, numbers))
        case _:
            return statement


def _moved(expression: Expression, numbers: dict[int, int]) -> Expression:
    match expression:
        case circuit.Variable(slot):
            return circuit.Variable(numbers[slot])
        case circuit.BitOf(slot, index):
            return circuit.BitOf(numbers[slot], _moved(index, numbers))
        case circuit.Unary(operator, operand, width):
            return circuit.Unary(operator, _moved(operand, numbers), width)
        case circuit.Convert(to, operand):
            return circuit.Convert(to, _moved(operand, numbers))
        case circuit.Binary(operator, left, right, width):
            return circuit.Binary(operator, _moved(left, numbers), _moved(right, numbers), width)
        case _:
            return expression

"""Checks that a program means something before any native code sees it.

The wire's types say what a program looks like; qulacs trusts its caller with the rest, and a
qubit out of range would end the process. Errors name the gate.
"""

from qfleet_agent.engines.errors import WorkInvalid
from qfleet_wire import circuit, circuit_facts, workload


def check_program(program: circuit.Program) -> None:
    """Check qubits, arguments and slots of all statements.

    Raises:
        WorkInvalid: with the first statement that is wrong.
    """
    if program.qubits < 1:
        raise WorkInvalid(f"program has {program.qubits} qubits; it needs at least 1")
    for slot in program.slots:
        if slot.type.width < 1 and slot.type.kind not in ("float", "angle"):
            raise WorkInvalid(f"slot {slot.name!r} has {slot.type.width} bits; it needs at least 1")
        if slot.output and slot.type.kind in ("float", "angle"):
            raise WorkInvalid(f"slot {slot.name!r} is an output and has no bits")
    for statement in circuit_facts.walk(program.body):
        _check_statement(program, statement)


def check_observable(observable: workload.Observable, qubits: int) -> None:
    """Check the Pauli products of an observable.

    Raises:
        WorkInvalid: with the first letter or qubit that is wrong.
    """
    for term in observable.terms:
        for letter, _ in term.paulis:
            if letter not in ("X", "Y", "Z"):
                raise WorkInvalid(f"observable {observable.text!r} has the letter {letter!r}; use X, Y or Z")
        _check_qubits(f"observable {observable.text!r}", tuple(qubit for _, qubit in term.paulis), qubits)


def _check_statement(program: circuit.Program, statement: circuit.Statement) -> None:
    match statement:
        case circuit.Gate():
            _check_gate(statement, program.qubits)
        case circuit.Measure(qubit=qubit, slot=slot, bit=bit):
            _check_qubits("measure", (qubit,), program.qubits)
            if slot is not None:
                _check_bit(program, slot, bit)
        case circuit.Reset(qubit=qubit):
            _check_qubits("reset", (qubit,), program.qubits)
        case circuit.Assign(slot=number) | circuit.For(slot=number):
            if not 0 <= number < len(program.slots):
                raise WorkInvalid(f"program writes slot {number} and declares {len(program.slots)}")


def _check_gate(gate: circuit.Gate, qubits: int) -> None:
    if len(gate.qubits) != circuit.GATE_QUBITS.get(gate.name, 1):
        raise WorkInvalid(f"gate {gate.name} has {len(gate.qubits)} targets")
    if len(gate.arguments) != circuit.GATE_ARGUMENTS.get(gate.name, 0):
        raise WorkInvalid(f"gate {gate.name} has {len(gate.arguments)} arguments")
    if any(control.value not in (0, 1) for control in gate.controls):
        raise WorkInvalid(f"a control of gate {gate.name} is neither 0 nor 1")
    _check_qubits(f"gate {gate.name}", circuit_facts.qubits_of(gate), qubits)


def _check_qubits(what: str, named: tuple[int, ...], qubits: int) -> None:
    if len(set(named)) != len(named):
        raise WorkInvalid(f"{what} names a qubit twice: {named}")
    for qubit in named:
        if not 0 <= qubit < qubits:
            raise WorkInvalid(f"{what} names qubit {qubit}; the program has qubits 0 to {qubits - 1}")


def _check_bit(program: circuit.Program, slot: int, bit: int) -> None:
    if not 0 <= slot < len(program.slots):
        raise WorkInvalid(f"measure writes slot {slot}; the program declares {len(program.slots)}")
    declared = program.slots[slot]
    if declared.type.kind not in ("bit", "bool", "int", "uint") or not 0 <= bit < declared.type.width:
        raise WorkInvalid(
            f"measure writes bit {bit} of {declared.name!r}, which has {declared.type.width} bits"
        )

"""What planning needs to know of a compiled program: width, gates, and whether it is static.

Figures are estimates of work, not promises: loops whose length is known only at run time are
counted as ``UNKNOWN_PASSES`` passes, and of two branches the longer one.
"""

from dataclasses import dataclass

from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_wire import circuit, circuit_clifford, circuit_facts
from qfleet_wire.circuit import Constant, Gate

UNKNOWN_PASSES = 10
"""Passes that a loop of unknown length is counted as."""
TURNS = 1_000_000_000
"""Most statements that one shot goes through: some twenty minutes of a fast device."""
TURNS_IN_ALL = 10_000_000_000_000
"""Most statements that all shots of a job go through: months, if no two of them go together."""


@dataclass(frozen=True, slots=True)
class ProgramFacts:
    """Facts of a program.

    ``gates`` counts what stands in the program, ``entangling`` those on two qubits or more, and
    ``applications`` estimates the gates, measurements and resets that one shot goes through.
    ``dynamic`` programs run shot by shot; others are evolved once. ``clifford`` programs consist
    of Clifford gates only, whatever the parameters. ``depth`` is the nesting of statements.
    """

    qubits: int
    gates: int
    entangling: int
    measurements: int
    applications: int
    dynamic: bool
    clifford: bool
    depth: int
    output_bits: int

    @property
    def static(self) -> bool:
        """Whether the program is a unitary followed by final measurements."""
        return not self.dynamic


def facts_of(program: circuit.Program) -> ProgramFacts:
    """The facts of a compiled program."""
    gates = [
        each
        for each in circuit_facts.walk(program.body)
        if isinstance(each, Gate) and (each.name != "gphase" or each.controls)
    ]
    return ProgramFacts(
        qubits=program.qubits,
        gates=len(gates),
        entangling=sum(len(gate.qubits) + len(gate.controls) > 1 for gate in gates),
        measurements=sum(isinstance(each, circuit.Measure) for each in circuit_facts.walk(program.body)),
        applications=_applications(program.body),
        dynamic=not circuit_facts.is_static(program),
        clifford=all(is_clifford(gate) for gate in gates),
        depth=_depth(program.body),
        output_bits=program.output_bits,
    )


def check_length(program: circuit.Program, shots: int) -> None:
    """Refuse a dynamic program whose loops nobody would see the end of, run so many times in all.

    Raises:
        RequestRefused: with the number of statements, and the bound.
    """
    turns = _turns(program.body)
    if turns > TURNS:
        hint = f"at most {TURNS:,}: let its loops make fewer passes"
        raise RequestRefused("program", f"goes through {turns:,} statements in one shot", hint)
    if turns * shots > TURNS_IN_ALL:
        told = f"goes through {turns:,} statements in each of {shots:,} shots, {turns * shots:,} in all"
        raise RequestRefused("shots", told, f"at most {TURNS_IN_ALL:,}: give fewer shots or passes")


def _turns(body: tuple[circuit.Statement, ...]) -> int:
    """Statements that one shot goes through, the longer one of two branches."""
    total = len(body)
    for statement in body:
        match statement:
            case circuit.If(then=then, otherwise=otherwise):
                total += max(_turns(then), _turns(otherwise))
            case circuit.While(body=inner):
                total += UNKNOWN_PASSES * (1 + _turns(inner))
            case circuit.For(body=inner):
                total += _passes(statement) * (1 + _turns(inner))
            case _:
                continue
    return total


def _applications(body: tuple[circuit.Statement, ...]) -> int:
    total = 0
    for statement in body:
        match statement:
            case Gate() | circuit.Measure() | circuit.Reset():
                total += 1
            case circuit.If(then=then, otherwise=otherwise):
                total += max(_applications(then), _applications(otherwise))
            case circuit.While(body=inner):
                total += UNKNOWN_PASSES * _applications(inner)
            case circuit.For(body=inner):
                total += _passes(statement) * _applications(inner)
            case _:
                continue
    return total


def _passes(loop: circuit.For) -> int:
    match loop:
        case circuit.For(start=Constant(start), step=Constant(step), stop=Constant(stop)) if step:
            return max(0, int((stop - start) // step) + 1)
        case _:
            return UNKNOWN_PASSES


def _depth(body: tuple[circuit.Statement, ...]) -> int:
    blocks = [block for statement in body for block in circuit_facts.blocks_of(statement)]
    return 1 + max((_depth(block) for block in blocks), default=-1) if blocks else 0


def is_clifford(gate: Gate) -> bool:
    """Whether a gate maps Paulis to Paulis whatever the parameters; False where that is unclear."""
    angles = [each.value for each in gate.arguments if isinstance(each, Constant)]
    return len(angles) == len(gate.arguments) and circuit_clifford.steps(gate, angles) is not None

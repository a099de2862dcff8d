"""The gates of stdgates.inc and qelib1.inc as base gates with controls.

A standard gate never goes through its definition in ``U``: ``cx`` is an ``x`` with a control.
The matrices are those of the specification's standard library (OpenQASM 3.1, "Standard
library") and, for qelib1.inc, of Qiskit's gates of these names.

Of ``U`` there are two. OpenQASM 3 defines ``U(θ, φ, λ)`` with a phase e^{iθ/2} on top of
``circuit``'s ``u`` (issue 382 of openqasm/openqasm; stdgates.inc relies on it), and Qiskit's
importer drops that phase: the two differ under a control only, and the specification is
followed. In OpenQASM 2 nothing can tell.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from qfleet_controlplane.compile import unitary
from qfleet_wire import circuit
from qfleet_wire.circuit import Constant, Control, Expression, Gate, GateName

Arguments = tuple[Expression, ...]
Qubits = tuple[int, ...]
Expansion = Callable[[Arguments, Qubits], list[Gate]]

_QUARTER = Constant(math.pi / 2)


@dataclass(frozen=True, slots=True)
class Standard:
    """A gate of a library: how many arguments and qubits it takes, and what it stands for."""

    arguments: int
    qubits: int
    expand: Expansion


def _base(name: GateName, controls: int = 0) -> Standard:
    def expand(arguments: Arguments, qubits: Qubits) -> list[Gate]:
        held = tuple(Control(qubit) for qubit in qubits[:controls])
        return [Gate(name, qubits[controls:], arguments, held)]

    qubits = controls + circuit.GATE_QUBITS.get(name, 1)
    return Standard(circuit.GATE_ARGUMENTS.get(name, 0), qubits, expand)


def _u3(arguments: Arguments, qubits: Qubits) -> list[Gate]:
    """``u3`` of stdgates.inc, with determinant 1: e^{-i(φ+λ)/2} u(θ, φ, λ)."""
    phase = unitary.scaled(-0.5, unitary.total(arguments[1], arguments[2]))
    return [Gate("gphase", (), (phase,)), Gate("u", qubits, arguments)]


def _u2(arguments: Arguments, qubits: Qubits) -> list[Gate]:
    return _u3((_QUARTER, *arguments), qubits)


def _cu(arguments: Arguments, qubits: Qubits) -> list[Gate]:
    control, target = qubits
    return [
        Gate("p", (control,), arguments[3:]),
        Gate("u", (target,), arguments[:3], (Control(control),)),
    ]


def _built_in_u(arguments: Arguments, qubits: Qubits) -> list[Gate]:
    gate = Gate("u", qubits, arguments)
    theta = arguments[0]
    if isinstance(theta, Constant) and theta.value == 0:
        return [gate]
    return [Gate("gphase", (), (unitary.scaled(0.5, theta),)), gate]


def _cx(control: int, target: int) -> Gate:
    return Gate("x", (target,), (), (Control(control),))


def _rzz(arguments: Arguments, qubits: Qubits) -> list[Gate]:
    first, second = qubits
    return [_cx(first, second), Gate("rz", (second,), arguments), _cx(first, second)]


def _rxx(arguments: Arguments, qubits: Qubits) -> list[Gate]:
    turn = [Gate("h", (qubit,)) for qubit in qubits]
    return [*turn, *_rzz(arguments, qubits), *turn]


def _sequence(text: str) -> Expansion:
    """Gates without arguments, written ``name:targets`` with a letter for each qubit."""
    steps = [step.split(":") for step in text.split()]

    def expand(_: Arguments, qubits: Qubits) -> list[Gate]:
        gates = []
        for name, letters in steps:
            places = tuple(qubits["abcd".index(letter)] for letter in letters)
            gates += QELIB1[name].expand((), places)
        return gates

    return expand


_SINGLE: tuple[GateName, ...] = (
    "id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "p", "rx", "ry", "rz",
)  # fmt: skip

_COMMON: dict[str, Standard] = {name: _base(name) for name in _SINGLE} | {
    "cx": _base("x", 1),
    "cy": _base("y", 1),
    "cz": _base("z", 1),
    "ch": _base("h", 1),
    "cp": _base("p", 1),
    "crx": _base("rx", 1),
    "cry": _base("ry", 1),
    "crz": _base("rz", 1),
    "swap": _base("swap"),
    "ccx": _base("x", 2),
    "cswap": _base("swap", 1),
    "cu": Standard(4, 2, _cu),
    "u1": _base("p"),
}

STDGATES: dict[str, Standard] = _COMMON | {
    "CX": _base("x", 1),
    "phase": _base("p"),
    "cphase": _base("p", 1),
    "u2": Standard(2, 1, _u2),
    "u3": Standard(3, 1, _u3),
}

QELIB1: dict[str, Standard] = _COMMON | {
    "u": _base("u"),
    "u0": Standard(1, 1, lambda _, qubits: [Gate("id", qubits)]),
    "u2": Standard(2, 1, lambda given, qubits: [Gate("u", qubits, (_QUARTER, *given))]),
    "u3": _base("u"),
    "sxdg": _base("sxdg"),
    "cu1": _base("p", 1),
    "cu3": _base("u", 1),
    "csx": _base("sx", 1),
    "c3x": _base("x", 3),
    "c3sqrtx": _base("sx", 3),
    "c4x": _base("x", 4),
    "rxx": Standard(1, 2, _rxx),
    "rzz": Standard(1, 2, _rzz),
    "rccx": Standard(0, 3, _sequence("h:c t:c cx:bc tdg:c cx:ac t:c cx:bc tdg:c h:c")),
    "rc3x": Standard(
        0,
        4,
        _sequence(
            "h:d t:d cx:cd tdg:d h:d cx:ad t:d cx:bd tdg:d cx:ad t:d cx:bd tdg:d h:d t:d cx:cd tdg:d h:d"
        ),
    ),
}

BUILT_IN: dict[str, Standard] = {"U": Standard(3, 1, _built_in_u)}
BUILT_IN_LEGACY: dict[str, Standard] = {"U": _base("u"), "CX": _base("x", 1)}

_FILES = {"stdgates.inc": STDGATES, "qelib1.inc": QELIB1}


def gates(file: str) -> dict[str, Standard]:
    """The gates that an included file defines.

    Raises:
        KeyError: there is no such library.
    """
    return _FILES[file]


def names(file: str) -> frozenset[str]:
    """The names of the gates that an included file defines."""
    return frozenset(_FILES[file])

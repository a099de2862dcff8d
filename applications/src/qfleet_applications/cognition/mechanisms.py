"""Mechanisms of two and three units whose step is both a program of gates and a rule for bits."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from qfleet_applications.cognition import bit_rules
from qfleet_applications.cognition.classical_phi import Mechanism, State
from qfleet_applications.errors import InvalidProblem

_HEADER = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
_BITS = {"0": (0,), "1": (1,), "+": (0, 1), "-": (0, 1), "r": (0, 1), "l": (0, 1)}
"""What a measurement finds of each letter of a state, all of it equally often."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A step: its program, and what it does to bits where it does no more than that."""

    units: int
    program: str
    step: Callable[[State], State] | None
    state: str
    purpose: str


GATES = {
    "cnot": Gate(
        2,
        f"{_HEADER}qubit[2] q;\ncx q[0], q[1];\n",
        lambda bits: (bits[0], bits[0] ^ bits[1]),
        "10",
        "copies one unit and compares it with the other",
    ),
    "swap": Gate(
        2,
        f"{_HEADER}qubit[2] q;\nswap q[0], q[1];\n",
        lambda bits: (bits[1], bits[0]),
        "10",
        "two units that only pass their states on",
    ),
    "toffoli": Gate(
        3,
        f"{_HEADER}qubit[3] q;\nccx q[0], q[1], q[2];\n",
        lambda bits: (bits[0], bits[1], bits[2] ^ (bits[0] & bits[1])),
        "110",
        "turns a unit if two others agree",
    ),
    "bell": Gate(
        2,
        f"{_HEADER}qubit[2] q;\nh q[0];\ncx q[0], q[1];\n",
        None,
        "00",
        "entangles two units: no rule for bits does that",
    ),
}


def gate(name: str) -> Gate:
    """A mechanism by its name.

    Raises:
        InvalidProblem: there is none.
    """
    if name not in GATES:
        raise InvalidProblem(f"there is no mechanism {name!r}", hint=f"use one of {', '.join(GATES)}")
    return GATES[name]


def measured(chosen: Gate, state: str) -> Iterator[Mechanism]:
    """The classical mechanisms that are left if the state is measured first, all equally likely.

    Raises:
        InvalidProblem: the state has another number of units, or an unknown letter.
    """
    check_state(chosen, state)
    if chosen.step is not None:
        for bits in itertools.product(*(_BITS[letter] for letter in state)):
            yield Mechanism(chosen.units, chosen.step, bits)


def check_state(chosen: Gate, state: str) -> None:
    """Refuse a state of another number of units, or with an unknown letter.

    Raises:
        InvalidProblem: with what to write.
    """
    if len(state) != chosen.units or any(letter not in _BITS for letter in state):
        raise InvalidProblem(
            f"{state!r} is no state of {chosen.units} units", hint="give one letter of 01+-rl for each unit"
        )


def of_file(file: Path, state: str) -> Gate:
    """A mechanism whose step is a program in a file; its meaning is the control plane's to judge.

    It has a classical counterpart if its gates only move and flip bits.

    Raises:
        InvalidProblem: the file cannot be read, or no state is given.
    """
    try:
        program = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidProblem(f"cannot read the program {str(file)!r}: {error}") from error
    if not state:
        raise InvalidProblem("a program of your own needs its state", hint="add --state, like --state 10")
    return Gate(len(state), program, bit_rules.step_of(program), state, "")

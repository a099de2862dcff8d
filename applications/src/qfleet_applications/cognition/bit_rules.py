"""What a program does to bits, if its gates do no more than move and flip them.

Only then has a step of a user's own a classical counterpart. Anything that this does not know makes it
no rule: better no classical figures than those of another step.
"""

import re
from collections.abc import Callable
from typing import TypeAlias

from qfleet_applications.cognition.classical_phi import State

Step: TypeAlias = Callable[[State], State]
Move: TypeAlias = tuple[str, tuple[int, ...]]

GATES = {"id": 1, "x": 1, "cx": 2, "swap": 2, "ccx": 3, "cswap": 3}
"""Gates that take bits to bits, and how many qubits each has."""
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_HEADER = re.compile(r"OPENQASM\s+3(\.\d+)?|include\s+\"stdgates\.inc\"")
_REGISTER = re.compile(r"qubit\s*\[\s*(\d+)\s*\]\s*(\w+)")
_GATE = re.compile(r"(\w+)\s+(.+)", re.DOTALL)


def step_of(program: str) -> Step | None:
    """The step of a program of one register and of ``GATES`` alone; none for any other program."""
    statements = [part.strip() for part in _COMMENT.sub("", program).split(";")]
    register, moves = "", []
    for statement in filter(None, statements):
        declared = _REGISTER.fullmatch(statement)
        if _HEADER.fullmatch(statement):
            continue
        if declared and not register:
            register = declared[2]
            continue
        move = _move(statement, register)
        if move is None:
            return None
        moves.append(move)
    return (lambda bits: _moved(bits, moves)) if register else None


def _move(statement: str, register: str) -> Move | None:
    called = _GATE.fullmatch(statement)
    if called is None:
        return None
    places = [
        re.fullmatch(rf"\s*{re.escape(register)}\s*\[\s*(\d+)\s*\]\s*", part) for part in called[2].split(",")
    ]
    found = tuple(int(place[1]) for place in places if place)
    if len(found) != len(places) or GATES.get(called[1]) != len(found):
        return None
    return called[1], found


def _moved(state: State, moves: list[Move]) -> State:
    bits = list(state)
    for gate, places in moves:
        targets = 2 if gate.endswith("swap") else 1
        controls, (*other, target) = places[:-targets], places[-targets:]
        if gate == "id" or not all(bits[one] for one in controls):
            continue
        if other:
            bits[other[0]], bits[target] = bits[target], bits[other[0]]
        else:
            bits[target] ^= 1
    return tuple(bits)

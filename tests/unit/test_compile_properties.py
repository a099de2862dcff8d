"""Properties: integer expressions against C's rules, modifiers against matrices."""

import contextlib
import operator
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.unit.compile_interpreter import Array, base_matrix, distribution, unitary

from qfleet_controlplane.compile.errors import ProgramRefused
from qfleet_controlplane.compile.program import compile_program

HEAD = 'OPENQASM 3.1;\ninclude "stdgates.inc";\n'
WIDTH = 8
MASK = (1 << WIDTH) - 1
VARIABLES = ("a", "b", "c")


@dataclass(frozen=True)
class Sum:
    """An integer expression as text, and its value as a function of the variables."""

    text: str
    value: Callable[[dict[str, int]], int]


def wrap(value: int, *, signed: bool) -> int:
    value &= MASK
    return value - (1 << WIDTH) if signed and value >> (WIDTH - 1) else value


def quotient(left: int, right: int) -> int:
    if right == 0:
        return 0
    return abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)


ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": quotient,
    "%": lambda left, right: left - right * quotient(left, right),
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
}
COMPARED: dict[str, Callable[[int, int], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">=": operator.ge,
}


def joined(left: Sum, name: str, right: Sum, *, signed: bool) -> Sum:
    def value(known: dict[str, int]) -> int:
        return wrap(ARITHMETIC[name](left.value(known), right.value(known)), signed=signed)

    return Sum(f"({left.text} {name} {right.text})", value)


def negated(inner: Sum, *, signed: bool) -> Sum:
    return Sum(f"(-{inner.text})", lambda known: wrap(-inner.value(known), signed=signed))


def sums(*, signed: bool) -> st.SearchStrategy[Sum]:
    leaves = st.sampled_from(VARIABLES).map(lambda name: Sum(name, lambda known: known[name]))

    def grow(inner: st.SearchStrategy[Sum]) -> st.SearchStrategy[Sum]:
        return st.one_of(
            st.builds(
                lambda *parts: joined(*parts, signed=signed), inner, st.sampled_from(list(ARITHMETIC)), inner
            ),
            inner.map(lambda each: negated(each, signed=signed)),
        )

    return st.recursive(leaves, grow, max_leaves=8)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.booleans(), st.booleans())
def test_integer_expressions_wrap_as_in_c(data: st.DataObject, signed: bool, hidden: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
    """``hidden`` makes every value unknown to the compiler, so that it is computed at run time."""
    low, high = (-(1 << (WIDTH - 1)), MASK >> 1) if signed else (0, MASK)
    known = {name: data.draw(st.integers(low, high)) for name in VARIABLES}
    left, right = data.draw(sums(signed=signed)), data.draw(sums(signed=signed))
    name = data.draw(st.sampled_from(list(COMPARED)))
    kind = "int" if signed else "uint"
    text = HEAD + f"output bit[{WIDTH}] r; output bool ok; qubit q; bit m;"
    for each, value in known.items():
        text += f"{kind}[{WIDTH}] {each} = {value};"
        text += f"m = measure q; if (m) {{ {each} = 0; }}" if hidden else ""
    text += f"r = bit[{WIDTH}]({left.text}); ok = {left.text} {name} {right.text};"
    expected = left.value(known) & MASK
    truth = COMPARED[name](left.value(known), right.value(known))
    try:
        program = compile_program(text)
    except ProgramRefused as refusal:
        assume("division by zero" not in refusal.message)
        raise
    assert distribution(program) == {f"{int(truth)} {expected:0{WIDTH}b}": 1.0}


def controlled(matrix: Array, value: int) -> Array:
    """The control becomes qubit 0, the least significant."""
    size = matrix.shape[0]
    result: Array = np.eye(2 * size, dtype=complex)
    result[value::2, value::2] = matrix
    return result


BASE = [
    ("x", (), 1), ("y", (), 1), ("h", (), 1), ("s", (), 1), ("t", (), 1), ("sx", (), 1), ("swap", (), 2),
    ("rx", (0.7,), 1), ("ry", (-2.1,), 1), ("rz", (5.0,), 1), ("p", (1.3,), 1),
]  # fmt: skip
MODIFIERS = st.lists(
    st.sampled_from(["inv", "pow(2)", "pow(-3)", "pow(0)", "ctrl", "negctrl", "ctrl(2)"]), max_size=3
)


def modified(matrix: Array, modifiers: list[str]) -> Array:
    """Modifiers applied from the innermost, the last one, to the outermost."""
    for modifier in reversed(modifiers):
        if modifier == "inv":
            matrix = matrix.conj().T
        elif modifier.startswith("pow"):
            matrix = np.linalg.matrix_power(matrix, int(modifier[4:-1]))
        else:
            for _ in range(2 if modifier.endswith("(2)") else 1):
                matrix = controlled(matrix, 0 if modifier == "negctrl" else 1)
    return matrix


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(BASE), MODIFIERS)
def test_modifiers_of_base_gates(gate: tuple[str, tuple[float, ...], int], modifiers: list[str]) -> None:
    name, angles, targets = gate
    expected = modified(base_matrix(name, angles), modifiers)
    count = expected.shape[0].bit_length() - 1
    qubits = ", ".join(f"q[{number}]" for number in range(count))
    given_angles = f"({', '.join(map(str, angles))})" if angles else ""
    prefix = "".join(f"{modifier} @ " for modifier in modifiers)
    text = HEAD + f"qubit[{count}] q; {prefix}{name}{given_angles} {qubits};"
    assert targets <= count
    assert np.allclose(unitary(compile_program(text)), expected)


DEFINITION = "gate g(w) a, b { h a; ctrl @ U(w, 0.3, -w / 2) a, b; gphase(w); inv @ s b; }\n"


@settings(max_examples=40, deadline=None)
@given(st.floats(-6, 6), MODIFIERS)
def test_modifiers_of_definitions(angle: float, modifiers: list[str]) -> None:
    plain = unitary(compile_program(HEAD + DEFINITION + f"qubit[2] q; g({angle}) q[0], q[1];"))
    expected = modified(plain, modifiers)
    count = expected.shape[0].bit_length() - 1
    qubits = ", ".join(f"q[{number}]" for number in range(count))
    prefix = "".join(f"{modifier} @ " for modifier in modifiers)
    text = HEAD + DEFINITION + f"qubit[{count}] q; {prefix}g({angle}) {qubits};"
    assert np.allclose(unitary(compile_program(text)), expected)


@settings(max_examples=40, deadline=None)
@given(st.floats(-20, 20), st.sampled_from(["rx", "ry", "rz", "p"]), st.floats(-3, 3))
def test_swept_angles_give_the_same_gates_as_literal_ones(angle: float, name: str, factor: float) -> None:
    text = HEAD + "qubit[2] q; ctrl @ " + name + "(FACTOR * ANGLE + 0.25) q[0], q[1];"
    text = text.replace("FACTOR", f"{factor}")
    swept = compile_program(text.replace("qubit", "input float w; qubit").replace("ANGLE", "w"), swept=("w",))
    assert np.allclose(unitary(swept, (angle,)), unitary(compile_program(text.replace("ANGLE", f"{angle}"))))


@pytest.mark.parametrize("noise", ["", "\x00", "🙂", "\n" * 5, "OPENQASM", "qubit[", '"', "/*", "}" * 20])
def test_any_text_is_answered_with_a_place(noise: str) -> None:
    with pytest.raises(ProgramRefused) as caught:
        compile_program(noise)
    assert caught.value.line >= 1
    assert caught.value.column >= 1


FRAGMENTS = [
    "qubit[2] q; ",
    "bit[2] c; ",
    "h q; ",
    "c = measure q; ",
    "if (c[0]) ",
    "{ ",
    "} ",
    "for int i in [0:1] ",
    "x q[i]; ",
    "\ndef f(qubit a) ",
    "return 1; ",
    "int n = 3; ",
    "n -= 1; ",
    "while (n > 0) ",
    "break; ",
    "end; ",
    "let a = q[0:1]; ",
    "\ngate g a { ",
    "input float w; ",
    "rx(w) q; ",
    "output bit r; ",
    "switch (n) ",
    "case 1 ",
    "reset q; ",
    "barrier q; ",
    "\nconst int k = 2 ** 3; ",
    "inv @ ",
    "pow(2) @ ",
    "ctrl @ ",
    "cx q[0], q[1]; ",
    "uint[4] u = 20; ",
    "box { ",
    "\narray[int, 2] m = {1, 2}; ",
    "m[n] = 1; ",
    "gphase(w); ",
    "$0 ",
    "++ ",
    "( ",
    ") ",
    "@ ",
]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=14))
def test_no_text_breaks_the_compiler(parts: list[str]) -> None:
    with contextlib.suppress(ProgramRefused):
        compile_program(HEAD + "".join(parts), bindings={"w": 0.5})

"""Formulas: read as mathematics writes them, and refused with a column where they cannot be."""

import cmath
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qfleet_controlplane.compile.dynamics import formulas, normal, terms
from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_wire import codec
from qfleet_wire.workload import formula, formula_values

NAMES: formulas.Names = {"omega": formula.Parameter(0), "g": formula.Parameter(1), "c": formula.Number(3.0)}
POINT = (1.7, -0.4)


class Holder(msgspec.Struct):
    value: formula.Formula


def value(text: str, t: float = 0.9) -> complex:
    return formula_values.evaluator(formulas.parse("f", text, NAMES), POINT)(t)


LEAVES = st.sampled_from(["t", "omega", "g", "c", "0.5", "2", "1e-1", "pi", "1j"])


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds(lambda a, o, b: f"({a}){o}({b})", inner, st.sampled_from("+-*/"), inner),
        st.builds(lambda a, o, b: f"{a} {o} {b}", LEAVES, st.sampled_from(["+", "-", "*", "/"]), LEAVES),
        st.builds(lambda a: f"-({a})", inner),
        st.builds(lambda a, n: f"({a})**{n}", inner, st.sampled_from(["2", "3", "-1", "-t"])),
        st.builds(
            lambda f, a: f"{f}({a})",
            st.sampled_from(["sin", "cos", "exp", "tanh", "sqrt", "log", "cosh"]),
            inner,
        ),
    )


@settings(max_examples=200, deadline=None)
@given(st.recursive(LEAVES, _grown, max_leaves=8), st.floats(-2, 2))
def test_a_formula_means_what_python_says_it_means(text: str, t: float) -> None:
    try:
        found = value(text, t)
    except (RequestRefused, ValueError):
        return
    one: Any = cmath
    known = {name: getattr(one, name) for name in ("sin", "cos", "exp", "tanh", "sqrt", "log", "cosh")}
    known |= {"t": t, "omega": POINT[0], "g": POINT[1], "c": 3.0, "pi": math.pi}
    expected = eval(text, {"__builtins__": {}}, known)
    assert abs(found - expected) <= 1e-9 * max(1.0, abs(expected))


@settings(max_examples=100, deadline=None)
@given(st.recursive(LEAVES, _grown, max_leaves=8))
def test_a_formula_survives_the_wire_and_its_conjugate_is_one(text: str) -> None:
    try:
        read = formulas.parse("f", text, NAMES)
    except RequestRefused:
        return
    again = codec.decode(codec.encode(Holder(read)), Holder).value
    assert again == read
    assert normal.conjugate(normal.normal(read)) == normal.normal(terms.conjugate(read))
    try:
        found = formula_values.evaluator(read, POINT)(0.3)
        turned = formula_values.evaluator(terms.conjugate(read), POINT)(0.3)
    except ValueError:
        return
    assert abs(complex(found).conjugate() - turned) <= 1e-9 * max(1.0, abs(found))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("exp(-1j*omega*t)", "exp(-(t*omega*1j))"),
        ("(omega + t)**2", "t*t + 2*omega*t + omega**2"),
        ("g*omega/2", "0.5*omega*g"),
        ("cos(omega*t + g)", "cos(g + t*omega)"),
        ("1/omega", "omega**-1"),
    ],
)
def test_the_normal_form_knows_the_rules_of_arithmetic(one: str, other: str) -> None:
    assert normal.normal(formulas.parse("f", one, NAMES)) == normal.normal(formulas.parse("f", other, NAMES))


def test_functions_and_precedence() -> None:
    assert value("-2**2") == -4.0
    assert value("2**-1") == 0.5
    assert value("2**3**2") == 512.0
    assert value("step(t - 0.9) + step(t - 1)") == 1.0
    assert value("atan(abs(g))") == math.atan(0.4)


@pytest.mark.parametrize(
    ("text", "column", "message", "hint"),
    [
        ("", None, "is empty", "give an expression"),
        ("2*omga", 3, "unknown name 'omga'", "did you mean 'omega'?"),
        ("2*nu", 3, "unknown name 'nu'", "work.constants"),
        ("sinn(t)", 1, "unknown name 'sinn'", "did you mean 'sin'?"),
        ("__import__('os')", 12, "unexpected", ""),
        ("__import__(t)", 1, "unknown name '__import__'", "functions are sin"),
        ("omega.real", 6, "unexpected '.'", ""),
        ("[1]", 1, "unexpected '['", ""),
        ("cos(t", 6, "')' is missing before the end", ""),
        ("cos t", 5, "'(' is missing before 't'", ""),
        ("2 omega", 3, "unexpected 'omega'", "write an operation"),
        ("t^2", 2, "unexpected '^'", "write **"),
        ("1 +", 4, "a value is missing before the end", ""),
        ("j*t", 1, "unknown name 'j'", "write 1j"),
        ("1/0", 2, "no finite value", ""),
        ("1e999", 1, "too large", ""),
        ("log(0 - 1)", 1, "no finite value", ""),
        ("sqrt(1j*t)", 1, "sqrt of a complex value", "real values"),
        ("t**1j", 2, "a complex power", "whole numbers"),
        ("(" * 40 + "t" + ")" * 40, 33, "nested deeper than 32", "parameters"),
        ("sin(" * 33 + "t" + ")" * 33, 129, "nested deeper than 32", ""),
        ("t+" * 100 + "t", 200, "nested deeper than 100", ""),
        ("t" * 10_001, None, "has 10001 characters", ""),
    ],
)
def test_what_is_no_formula_is_refused_with_its_column(
    text: str, column: int | None, message: str, hint: str
) -> None:
    with pytest.raises(RequestRefused) as refusal:
        formulas.parse("work.hamiltonian[1].coefficient", text, NAMES)
    error = refusal.value
    assert error.field == "work.hamiltonian[1].coefficient"
    assert message in error.message
    assert hint in error.hint
    if column is not None:
        assert error.column == column
        assert str(error).startswith(f"work.hamiltonian[1].coefficient, column {column}: ")


def test_a_state_cannot_depend_on_time() -> None:
    with pytest.raises(RequestRefused, match="column 3: t has no place here"):
        formulas.parse("f", "2*t", NAMES, timed=False)


@pytest.mark.parametrize("text", ["1/(t-0.9)", "exp(1000*t)", "sqrt(-t)", "(0-t)**0.5", "log(t-2)"])
def test_a_value_that_is_not_finite_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"has no finite value at t = 0\.9"):
        value(text)

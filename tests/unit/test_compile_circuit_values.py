"""The reference semantics of compiled expressions, against C's rules and the language's tables."""

import math
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qfleet_wire import circuit, circuit_values
from qfleet_wire.circuit import ClassicalType

INTEGERS = st.integers(min_value=-(2**70), max_value=2**70)


def kind(name: str, width: int) -> ClassicalType:
    return ClassicalType(cast("circuit.Kind", name), width)


@given(INTEGERS, st.integers(min_value=1, max_value=64))
def test_integers_wrap_at_their_width(value: int, width: int) -> None:
    unsigned = circuit_values.convert(kind("uint", width), value)
    signed = circuit_values.convert(kind("int", width), value)
    assert 0 <= unsigned < 2**width
    assert -(2 ** (width - 1)) <= signed < 2 ** (width - 1)
    assert (unsigned - value) % 2**width == 0
    assert (signed - value) % 2**width == 0


@pytest.mark.parametrize(
    ("to", "value", "expected"),
    [
        (kind("int", 8), 3.9, 3),
        (kind("int", 8), -3.9, -3),
        (kind("int", 8), 200, -56),
        (kind("uint", 4), -1, 15),
        (kind("uint", 4), math.inf, 0),
        (kind("bool", 1), 0.25, True),
        (kind("bit", 3), 13, 5),
        (kind("float", 32), 2, 2.0),
        (kind("angle", 4), 9 * math.pi / 8, 9 * math.pi / 8),
        (kind("angle", 4), -math.pi / 8, 15 * math.pi / 8),
        (kind("angle", 2), 2 * math.pi - 0.01, 0.0),
        (kind("angle", 0), -math.pi, math.pi),
        (kind("angle", 0), -1e-300, 0.0),
    ],
)
def test_conversions(to: ClassicalType, value: float, expected: float) -> None:
    converted = circuit_values.convert(to, value)
    assert converted == pytest.approx(expected)
    assert type(converted) is type(expected)


@given(INTEGERS, INTEGERS.filter(bool))
def test_integer_division_cuts_towards_zero(left: int, right: int) -> None:
    quotient = circuit_values.binary("/", left, right)
    remainder = circuit_values.binary("%", left, right)
    assert quotient * right + remainder == left
    assert abs(remainder) < abs(right)
    assert remainder == 0 or (remainder < 0) == (left < 0)


@pytest.mark.parametrize(
    ("operator", "left", "right", "width", "expected"),
    [
        ("/", 7, 0, 0, 0),
        ("%", 7, 0, 0, 7),
        ("/", 1.0, 0.0, 0, math.inf),
        ("/", 1.0, -0.0, 0, -math.inf),
        ("/", 1, 2.0, 0, 0.5),
        ("%", -5.5, 2.0, 0, -1.5),
        ("**", 3, 200, 8, pow(3, 200, 256)),
        ("**", 2, -1, 8, 0.5),
        ("**", 10.0, 400.0, 0, math.inf),
        ("<<", 0b10001111, 1, 8, 0b00011110),
        ("<<", 1, 8, 8, 0),
        ("<<", 1, -1, 8, 0),
        (">>", 0b1000, 2, 4, 0b10),
        ("rotl", 0b10001111, 2, 8, 0b00111110),
        ("rotl", 37, 3, 6, 44),
        ("rotr", 0b00111110, 2, 8, 0b10001111),
        ("&&", 2, 0.0, 0, False),
        ("||", 0, 0.5, 0, True),
    ],
)
def test_operators(operator: str, left: float, right: float, width: int, expected: float) -> None:
    result = circuit_values.binary(cast("circuit.BinaryOperator", operator), left, right, width)
    assert result == expected


@pytest.mark.parametrize(
    ("operator", "value", "width", "expected"),
    [
        ("~", 0b0101, 4, 0b1010),
        ("popcount", 37, 6, 3),
        ("-", 5, 0, -5),
        ("!", 0, 0, True),
        ("log", 0.0, 0, -math.inf),
        ("exp", 1000.0, 0, math.inf),
        ("floor", -0.5, 0, -1.0),
        ("ceiling", 0.5, 0, 1.0),
        ("arccos", 1.0, 0, 0.0),
    ],
)
def test_unary_operators(operator: str, value: float, width: int, expected: float) -> None:
    assert circuit_values.unary(cast("circuit.UnaryOperator", operator), value, width) == expected


def test_a_root_of_a_negative_number_is_not_a_number() -> None:
    assert math.isnan(circuit_values.unary("sqrt", -1.0))
    assert math.isnan(cast("float", circuit_values.binary("/", 0.0, 0.0)))


def test_expressions_read_slots_and_parameters() -> None:
    bit = circuit.BitOf(0, circuit.Constant(1))
    total = circuit.Binary("+", bit, circuit.Binary("*", circuit.Parameter(0), circuit.Variable(1)))
    assert circuit_values.evaluate(total, (0.5,), (0b10, 3)) == 2.5
    assert circuit_values.evaluate(circuit.BitOf(0, circuit.Constant(-1)), (), (1,)) == 0
    wrapped = circuit.Convert(kind("uint", 2), circuit.Unary("-", circuit.Variable(0)))
    assert circuit_values.evaluate(wrapped, (), (1,)) == 3

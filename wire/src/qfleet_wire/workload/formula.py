"""Formulas of time and named parameters in a checked form: what a coefficient or a rate is.

The control plane reads the text that a user wrote; devices get this form and evaluate it. Nothing of a
user's text is ever run as a program.
"""

from typing import Literal, TypeAlias

import msgspec

Function = Literal[
    "sin", "cos", "tan", "sinh", "cosh", "tanh", "atan", "exp", "log", "sqrt", "abs", "step"
]  # fmt: skip
"""``step(x)`` is 0 below 0 and 1 from 0 on; the others are what mathematics calls so."""

Operation = Literal["+", "-", "*", "/", "**"]

ENTIRE: frozenset[Function] = frozenset({"sin", "cos", "sinh", "cosh", "exp"})
"""Functions that also take a complex argument: power series with real coefficients, so that
conj f(z) = f(conj z). The others have cuts or poles and take real numbers only."""

DEPTH = 100
"""Deepest nesting of a formula; a sum of so many terms is so deep."""


class _Tagged(msgspec.Struct, frozen=True, array_like=True, tag_field="node"):
    """Base of the nodes: immutable, encoded as a short array that its tag opens."""


class Number(_Tagged, frozen=True, tag="n"):
    """A constant; complex if ``imaginary`` is not 0."""

    real: float
    imaginary: float = 0.0


class Parameter(_Tagged, frozen=True, tag="p"):
    """Entry ``index`` of the parameter vector that a work item supplies."""

    index: int


class Time(_Tagged, frozen=True, tag="t"):
    """The time t."""


class Call(_Tagged, frozen=True, tag="f"):
    """A function of one value."""

    function: Function
    argument: "Formula"


class Combination(_Tagged, frozen=True, tag="o"):
    """An operation on two values."""

    operation: Operation
    left: "Formula"
    right: "Formula"


Formula: TypeAlias = Number | Parameter | Time | Call | Combination

ONE = Number(1.0)


def is_real(formula: Formula) -> bool:
    """Whether a formula is real by its form: no imaginary constant stands in it."""
    match formula:
        case Number(imaginary=imaginary):
            return imaginary == 0.0
        case Call(argument=argument):
            return is_real(argument)
        case Combination(left=left, right=right):
            return is_real(left) and is_real(right)
        case _:
            return True


def is_steady(formula: Formula) -> bool:
    """Whether a formula is free of the time."""
    match formula:
        case Time():
            return False
        case Call(argument=argument):
            return is_steady(argument)
        case Combination(left=left, right=right):
            return is_steady(left) and is_steady(right)
        case _:
            return True


def depth_of(formula: Formula) -> int:
    """Levels of nesting; 1 for a number or a name."""
    match formula:
        case Call(argument=argument):
            return 1 + depth_of(argument)
        case Combination(left=left, right=right):
            return 1 + max(depth_of(left), depth_of(right))
        case _:
            return 1

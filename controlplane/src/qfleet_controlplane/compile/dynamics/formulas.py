"""The text of a coefficient or a rate → a ``workload.formula.Formula``, by recursive descent.

    sum = product { ("+" | "-") product }       product = sign { ("*" | "/") sign }
    sign = [ "+" | "-" ] sign | power           power = atom [ "**" sign ]
    atom = number | imaginary, as 1j | name | function "(" sum ")" | "(" sum ")"

Constants are folded as they are read.
"""

import math
import typing
from collections.abc import Mapping
from difflib import get_close_matches

from qfleet_controlplane.compile.dynamics.lexer import Token, Words, told
from qfleet_wire.workload import formula, formula_values
from qfleet_wire.workload.formula import Call, Combination, Formula, Function, Number, Operation

FUNCTIONS: tuple[Function, ...] = typing.get_args(Function)
CONSTANTS = {"pi": math.pi}
RESERVED = frozenset({"t", "j", *FUNCTIONS, *CONSTANTS})
"""Names that no parameter may have."""
OPEN = 32
"""Most parentheses and signs that are open at once."""

Names: typing.TypeAlias = Mapping[str, Formula]
"""What a formula may name beside the time and pi: parameters, and constants as numbers."""


def parse(field: str, text: str, names: Names, *, timed: bool = True) -> Formula:
    """Read a formula; without ``timed`` it may not depend on t.

    Raises:
        RequestRefused: the text is none, with its column.
    """
    words = Words(field, text)
    reader = _Reader(words, names, timed=timed)
    found = reader.sum()
    words.finish("write an operation between two values, such as 0.5*cos(t)")
    return found


class _Reader:
    def __init__(self, words: Words, names: Names, *, timed: bool) -> None:
        self._words, self._names, self._timed = words, names, timed
        self._open = 0

    def sum(self) -> Formula:
        left = self._product()
        while sign := self._words.takes("+", "-"):
            left = self._combined(sign, left, self._product())
        return left

    def _product(self) -> Formula:
        left = self._signed()
        while sign := self._words.takes("*", "/"):
            left = self._combined(sign, left, self._signed())
        return left

    def _signed(self) -> Formula:
        sign = self._words.takes("+", "-")
        if sign is None:
            return self._power()
        self._enter(sign)
        value = self._signed()
        self._open -= 1
        return value if sign.text == "+" else self._combined(sign, Number(-1.0), value, "*")

    def _power(self) -> Formula:
        base = self._atom()
        sign = self._words.takes("**")
        if sign is None:
            return base
        self._enter(sign)
        exponent = self._signed()
        self._open -= 1
        whole = isinstance(exponent, Number) and exponent.imaginary == 0.0 and exponent.real.is_integer()
        if not whole and not (formula.is_real(base) and formula.is_real(exponent)):
            self._words.refuse(sign, "a complex power", "raise complex values to whole numbers only")
        return self._combined(sign, base, exponent)

    def _atom(self) -> Formula:
        token = self._words.take()
        if token.kind == "number":
            return _number(self._words, token)
        if token.kind == "name":
            return self._called(token) if token.text in FUNCTIONS else self._named(token)
        if token.text == "(":
            self._enter(token)
            inner = self.sum()
            self._words.expect(")")
            self._open -= 1
            return inner
        return self._words.refuse(token, f"a value is missing before {told(token)}")

    def _called(self, token: Token) -> Formula:
        self._words.expect("(")
        self._enter(token)
        argument = self.sum()
        self._words.expect(")")
        self._open -= 1
        name = typing.cast("Function", token.text)
        if name not in formula.ENTIRE and not formula.is_real(argument):
            self._words.refuse(token, f"{name} of a complex value", f"{name} takes real values")
        return self._folded(token, Call(name, argument))

    def _named(self, token: Token) -> Formula:
        name = token.text
        if name == "t":
            if not self._timed:
                self._words.refuse(token, "t has no place here", "this value holds at the beginning")
            return formula.Time()
        if name in CONSTANTS:
            return Number(CONSTANTS[name])
        if name in self._names:
            return self._names[name]
        if name == "j":
            return self._words.refuse(token, "unknown name 'j'", "write 1j for the imaginary unit")
        return self._words.refuse(token, f"unknown name '{name}'", self._instead(name))

    def _instead(self, name: str) -> str:
        known = [*self._names, *FUNCTIONS, "t", *CONSTANTS]
        if self._words.now.text == "(" and self._words.now.kind == "sign":
            near = get_close_matches(name, FUNCTIONS, n=1)
            return f"did you mean '{near[0]}'?" if near else f"functions are {', '.join(FUNCTIONS)}"
        near = get_close_matches(name, known, n=1, cutoff=0.7)
        if near:
            return f"did you mean '{near[0]}'?"
        return f"give {name} a value in work.constants or work.parameters"

    def _combined(
        self, token: Token, left: Formula, right: Formula, operation: Operation | None = None
    ) -> Formula:
        wanted = operation or typing.cast("Operation", token.text)
        return self._folded(token, Combination(wanted, left, right))

    def _folded(self, token: Token, made: Formula) -> Formula:
        parts = (made.argument,) if isinstance(made, Call) else _sides(made)
        if all(isinstance(part, Number) for part in parts):
            try:
                value = complex(formula_values.evaluator(made, ())(0.0))
            except ValueError:
                self._words.refuse(token, f"'{token.text}' has no finite value here")
            return Number(value.real, value.imag)
        if formula.depth_of(made) > formula.DEPTH:
            self._too_deep(token, formula.DEPTH)
        return made

    def _enter(self, token: Token) -> None:
        self._open += 1
        if self._open > OPEN:
            self._too_deep(token, OPEN)

    def _too_deep(self, token: Token, most: int) -> typing.NoReturn:
        hint = "give parts of it as parameters, or split the term into several"
        self._words.refuse(token, f"the formula is nested deeper than {most} levels", hint)


def _sides(made: Formula) -> tuple[Formula, ...]:
    return (made.left, made.right) if isinstance(made, Combination) else ()


def _number(words: Words, token: Token) -> Number:
    value = float(token.text.removesuffix("j"))
    if not math.isfinite(value):
        words.refuse(token, f"{token.text[:20]} is too large", "numbers are doubles")
    return Number(0.0, value) if token.text.endswith("j") else Number(value)

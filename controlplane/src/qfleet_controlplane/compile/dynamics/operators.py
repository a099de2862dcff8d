"""The text of an operator → an expanded sum of products, by recursive descent.

    sum = product { ("+" | "-") product }       product = sign { ["*"] sign | "/" number }
    sign = [ "+" | "-" ] sign | power           power = atom [ "**" whole ]
    atom = number | 1j | pi | symbol "(" subsystem [ "," level ] ")" | "(" sum ")"

Operators of different subsystems commute, so factors are put in order of subsystems.
"""

import cmath
import math
from difflib import get_close_matches
from typing import NamedTuple, NoReturn, TypeAlias, get_args

from qfleet_controlplane.compile.dynamics.lexer import Token, Words, told
from qfleet_wire.workload.dynamics import Factor, Operator, Product, Subsystem, SubsystemKind, Symbol

SYMBOLS: dict[SubsystemKind, tuple[Symbol, ...]] = {
    "qubit": ("X", "Y", "Z", "a", "adag", "n", "P", "I"),
    "mode": ("a", "adag", "n", "P", "I"),
    "spin": ("Jx", "Jy", "Jz", "Jp", "Jm", "P", "I"),
}
PRODUCTS = 4096
"""Most products of one operator when it is multiplied out."""
LENGTH = 24
"""Most factors of one product."""
_OPEN = 32
_HIGHEST_POWER = 12

Word: TypeAlias = tuple[Factor, ...]
Sum: TypeAlias = dict[Word, complex]


class Space(NamedTuple):
    """The declared subsystems, by name and in order."""

    names: tuple[str, ...]
    subsystems: tuple[Subsystem, ...]

    @property
    def dimension(self) -> int:
        """Of the whole space."""
        return math.prod(each.levels for each in self.subsystems)


def parse(field: str, text: str, space: Space) -> Operator:
    """Read an operator on a space.

    Raises:
        RequestRefused: the text is none, with its column.
    """
    words = Words(field, text)
    found = _Reader(words, space).sum()
    words.finish("an operator is a sum of products such as 0.5*X(q1)*X(q2) + n(c)")
    return tuple(Product(number.real, number.imag, word) for word, number in found.items() if number != 0)


def adjoint(operator: Operator) -> Operator:
    """The Hermitian conjugate of a sum of products, in order of subsystems as ``parse`` has it."""
    daggers: dict[Symbol, Symbol] = {"a": "adag", "adag": "a", "Jp": "Jm", "Jm": "Jp"}
    return tuple(
        Product(
            product.real,
            -product.imaginary,
            _ordered(
                tuple(
                    Factor(factor.subsystem, daggers.get(factor.symbol, factor.symbol), factor.level)
                    for factor in reversed(product.factors)
                )
            ),
        )
        for product in operator
    )


class _Reader:
    def __init__(self, words: Words, space: Space) -> None:
        self._words, self._space = words, space
        self._open = 0

    def sum(self) -> Sum:
        left = self._product()
        while sign := self._words.takes("+", "-"):
            right = self._product()
            factor = 1.0 if sign.text == "+" else -1.0
            for word, number in right.items():
                left[word] = left.get(word, 0.0) + factor * number
            self._check(sign, len(left))
        return left

    def _product(self) -> Sum:
        left = self._signed()
        while True:
            sign = self._words.takes("*", "/")
            following = self._words.now
            if sign is None and following.kind not in ("name", "number") and following.text != "(":
                return left
            right = self._signed()
            at = sign or following
            left = self._divided(at, left, right) if at.text == "/" else self._multiplied(at, left, right)

    def _signed(self) -> Sum:
        sign = self._words.takes("+", "-")
        if sign is None:
            return self._power()
        self._enter(sign)
        value = self._signed()
        self._open -= 1
        return value if sign.text == "+" else {word: -number for word, number in value.items()}

    def _power(self) -> Sum:
        base = self._atom()
        sign = self._words.takes("**")
        if sign is None:
            return base
        token = self._words.take()
        if not token.text.isdecimal() or not 1 <= int(token.text[:6]) <= _HIGHEST_POWER:
            self._words.refuse(token, f"{told(token)} is no power of an operator", "give 1 to 12")
        found = base
        for _ in range(int(token.text) - 1):
            found = self._multiplied(sign, found, base)
        return found

    def _atom(self) -> Sum:
        token = self._words.take()
        if token.kind == "number":
            value = float(token.text.removesuffix("j"))
            if not math.isfinite(value):
                self._words.refuse(token, f"{token.text[:20]} is too large", "numbers are doubles")
            return {(): complex(0.0, value) if token.text.endswith("j") else complex(value)}
        if token.text == "(":
            self._enter(token)
            inner = self.sum()
            self._words.expect(")")
            self._open -= 1
            return inner
        if token.kind != "name":
            return self._words.refuse(token, f"an operator is missing before {told(token)}")
        if token.text == "pi":
            return {(): complex(math.pi)}
        if self._words.now.text != "(":
            return self._bare(token)
        return {(self._factor(token),): 1.0 + 0.0j}

    def _bare(self, token: Token) -> NoReturn:
        if token.text in get_args(Symbol):
            name = self._space.names[0]
            self._words.refuse(token, f"{token.text} of which subsystem?", f"write {token.text}({name})")
        hint = "an operator holds numbers only: put parameters and t into the coefficient"
        self._words.refuse(token, f"'{token.text}' is no operator", hint)

    def _factor(self, token: Token) -> Factor:
        self._words.expect("(")
        index = self._subsystem(self._words.take())
        kind, levels = self._space.subsystems[index].kind, self._space.subsystems[index].levels
        if token.text not in SYMBOLS[kind]:
            self._unknown(token, index)
        level = self._level(token, levels) if token.text == "P" else 0
        self._words.expect(")")
        return Factor(index, token.text, level)

    def _subsystem(self, token: Token) -> int:
        names = self._space.names
        if token.text in names:
            return names.index(token.text)
        near = get_close_matches(token.text, names, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"subsystems are {', '.join(names[:12])}"
        return self._words.refuse(token, f"there is no subsystem {told(token)}", hint)

    def _unknown(self, token: Token, index: int) -> NoReturn:
        name, kind = self._space.names[index], self._space.subsystems[index].kind
        known = token.text in get_args(Symbol)
        message = f"{token.text} is no operator of a {kind}" if known else f"unknown operator {told(token)}"
        self._words.refuse(token, message, f"{name} is a {kind}; it has {', '.join(SYMBOLS[kind])}")

    def _level(self, token: Token, levels: int) -> int:
        if self._words.takes(",") is None:
            self._words.refuse(token, "P projects on which level?", "write P(name, level)")
        number = self._words.take()
        if not number.text.isdecimal() or int(number.text[:9]) >= levels:
            self._words.refuse(number, f"{told(number)} is no level", f"levels are 0 to {levels - 1}")
        return int(number.text)

    def _multiplied(self, token: Token, left: Sum, right: Sum) -> Sum:
        self._check(token, len(left) * len(right))
        found: Sum = {}
        for before, one in left.items():
            for after, other in right.items():
                word = _ordered(before + after)
                if len(word) > LENGTH:
                    self._words.refuse(token, f"a product has more than {LENGTH} factors")
                found[word] = found.get(word, 0.0) + one * other
        if not all(map(cmath.isfinite, found.values())):
            self._words.refuse(token, "the product is too large", "numbers are doubles")
        return found

    def _divided(self, token: Token, left: Sum, right: Sum) -> Sum:
        if right.keys() != {()} or right[()] == 0:
            self._words.refuse(token, "division by what is no number, or 0", "divide by a number")
        return {word: number / right[()] for word, number in left.items()}

    def _check(self, token: Token, products: int) -> None:
        if products > PRODUCTS:
            hint = "split it into several terms"
            self._words.refuse(token, f"the operator has more than {PRODUCTS} products", hint)

    def _enter(self, token: Token) -> None:
        self._open += 1
        if self._open > _OPEN:
            self._words.refuse(token, f"the operator is nested deeper than {_OPEN} levels")


def _ordered(word: Word) -> Word:
    return tuple(sorted(word, key=lambda factor: factor.subsystem))

"""Observables: text → a weighted sum of Pauli products.

Sparse terms name qubits (``0.5*Z0 Z1 - X2 + 1.5``), dense ones are labels in Qiskit's order
(``ZZI``: qubit 0 rightmost). Equal products are merged. Coefficients are real.
"""

import math
import re
from dataclasses import dataclass

from qfleet_controlplane.compile.errors import ObservableRefused
from qfleet_wire.workload import Observable, PauliTerm

TEXT = 1024 * 1024
"""Longest text of one observable."""

_TOKENS = re.compile(
    r"\s*(?:(?P<sign>[+-])|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<sparse>[IXYZ]\d+)|(?P<dense>[IXYZ]+)|(?P<times>[*·]))"
)

_NAMES = re.compile(r"([IXYZ]+)(\d*)")

Product = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int


def parse_observable(text: str, qubits: int) -> Observable:
    """Read an observable of a program with this many qubits.

    Raises:
        ObservableRefused: the text is no real Pauli sum, or names a qubit that is not there.
    """
    merged: dict[Product, float] = {}
    for tokens in _terms(_tokens(text)):
        coefficient, product = _term(tokens, qubits)
        merged[product] = merged.get(product, 0.0) + coefficient
    terms = tuple(PauliTerm(coefficient, product) for product, coefficient in merged.items() if coefficient)
    for term in terms:
        if not math.isfinite(term.coefficient):
            raise ObservableRefused("a coefficient is too large", hint="coefficients are doubles")
    return Observable(text.strip(), terms)


def _tokens(text: str) -> list[_Token]:
    if len(text) > TEXT:
        raise ObservableRefused(f"{len(text)} characters", hint=f"at most {TEXT} are accepted")
    tokens: list[_Token] = []
    place, end = 0, len(text.rstrip())
    while place < end:
        match = _TOKENS.match(text, place)
        if match is None or match.lastgroup is None:
            raise _unexpected(text, place)
        tokens.append(_Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup) + 1))
        place = match.end()
    if not tokens:
        raise ObservableRefused("the observable is empty", hint="write a sum such as 0.5*Z0 Z1 - X2")
    return tokens


def _unexpected(text: str, place: int) -> ObservableRefused:
    column = place + len(text[place:]) - len(text[place:].lstrip()) + 1
    found = text[column - 1]
    hint = "a term is a number times Paulis: 0.5*Z0 Z1, or a label such as ZZI"
    if found in "xyzi":
        hint = f"Paulis are written in capitals: {found.upper()}"
    elif found in "jJ":
        hint = "coefficients must be real"
    return ObservableRefused(f"unexpected '{found}'", column, hint)


def _terms(tokens: list[_Token]) -> list[list[_Token]]:
    """Tokens of each term, its signs first."""
    terms: list[list[_Token]] = [[]]
    for token in tokens:
        body = any(each.kind != "sign" for each in terms[-1])
        if token.kind == "sign" and body:
            terms.append([])
        terms[-1].append(token)
    return terms


def _term(tokens: list[_Token], qubits: int) -> tuple[float, Product]:
    coefficient, paulis, expected = 1.0, dict[int, str](), True
    dense = False
    for token in tokens:
        if token.kind == "times":
            if expected:
                raise ObservableRefused("nothing to multiply", token.column, "write a factor before '*'")
            expected = True
            continue
        if token.kind == "sign":
            coefficient *= -1 if token.text == "-" else 1
            continue
        if token.kind == "number":
            if paulis or dense:
                raise ObservableRefused("a number after a Pauli", token.column, "write the number first")
            coefficient *= float(token.text)
        else:
            if dense or (token.kind == "dense" and paulis):
                raise ObservableRefused("a label next to other Paulis", token.column, "use one notation")
            dense = token.kind == "dense"
            _multiply(paulis, token, qubits)
        expected = False
    if expected:
        last = tokens[-1]
        raise ObservableRefused("a term is missing", last.column + 1, "write a number or Paulis here")
    return coefficient, tuple((paulis[qubit], qubit) for qubit in sorted(paulis) if paulis[qubit] != "I")


def _multiply(paulis: dict[int, str], token: _Token, qubits: int) -> None:
    if token.kind == "dense":
        if len(token.text) != qubits:
            hint = f"a label has one letter for each of the {qubits} qubits; or name them: Z0 Z1"
            raise ObservableRefused(f"label of {len(token.text)} letters", token.column, hint)
        paulis.update(enumerate(reversed(token.text)))
        return
    qubit = int(token.text[1:]) if len(token.text) < 20 else qubits
    if qubit >= qubits:
        hint = f"the program has qubits 0 to {qubits - 1}"
        raise ObservableRefused(f"there is no qubit {token.text[1:][:20]}", token.column, hint)
    if qubit in paulis:
        hint = "multiply the two Paulis yourself, for their product has a phase"
        raise ObservableRefused(f"qubit {qubit} stands twice in a term", token.column, hint)
    paulis[qubit] = token.text[0]


def width(text: str) -> int:
    """How many qubits an observable needs at least: its largest qubit and one, or its labels' length.

    What cannot be read counts as nothing; ``parse_observable`` refuses it.
    """
    needed = 0
    for match in _NAMES.finditer(text[:TEXT]):
        letters, number = match.groups()
        needed = max(needed, int(number[:9]) + 1 if number else len(letters))
    return needed

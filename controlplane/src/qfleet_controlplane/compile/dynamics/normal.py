"""A normal form of formulas, in which one that equals another by the rules of arithmetic looks the same.

A formula becomes a sum of monomials; a monomial is a product of powers of atoms: the time, parameters,
functions of sums in normal form. Identities of functions (cos² + sin² = 1) are not known here. Long
products are kept as an atom, so that no form grows beyond measure.
"""

from typing import Any, TypeAlias

from qfleet_wire.workload.formula import Call, Combination, Formula, Number, Parameter, Time

Atom: TypeAlias = tuple[Any, ...]
"""A name and what it is of: sums in the frozen form, or an index."""

Monomial: TypeAlias = tuple[tuple[Atom, int], ...]
Sum: TypeAlias = dict[Monomial, complex]

_MOST = 128
"""Monomials of a product that is still multiplied out."""
_HIGHEST_POWER = 6
_DIGITS = 12


def normal(formula: Formula) -> Sum:
    """The normal form of a formula."""
    match formula:
        case Number(real=real, imaginary=imaginary):
            value = complex(real, imaginary)
            return {(): value} if value else {}
        case Time():
            return _atom(("t",))
        case Parameter(index=index):
            return _atom(("p", index))
        case Call(function=function, argument=argument):
            return _atom((function, _frozen(normal(argument))))
        case Combination(operation=operation, left=left, right=right):
            return _combined(operation, normal(left), normal(right))


def added(one: Sum, other: Sum, factor: complex = 1.0) -> Sum:
    """Return one + factor × other."""
    found = dict(one)
    for monomial, value in other.items():
        found[monomial] = found.get(monomial, 0.0) + factor * value
    return {monomial: value for monomial, value in found.items() if value != 0}


def conjugate(one: Sum) -> Sum:
    """The complex conjugate: of all constants, for functions have real coefficients."""
    return {
        _sorted((_conjugate_atom(atom), power) for atom, power in monomial): value.conjugate()
        for monomial, value in one.items()
    }


def _combined(operation: str, left: Sum, right: Sum) -> Sum:
    match operation:
        case "+":
            return added(left, right)
        case "-":
            return added(left, right, -1.0)
        case "*":
            return _multiplied(left, right)
        case "/":
            return _multiplied(left, _raised(right, -1))
        case _:
            exponent = right.get((), 0.0) if right.keys() <= {()} else None
            if exponent is not None and exponent == int(exponent.real):
                return _raised(left, int(exponent.real))
            return _atom(("**", _frozen(left), _frozen(right)))


def _multiplied(left: Sum, right: Sum) -> Sum:
    if len(left) * len(right) > _MOST:
        return _atom(("*", *sorted((_frozen(left), _frozen(right)), key=repr)))
    found: Sum = {}
    for before, one in left.items():
        for after, other in right.items():
            powers = dict(before)
            for atom, power in after:
                powers[atom] = powers.get(atom, 0) + power
            monomial = _sorted((atom, power) for atom, power in powers.items() if power)
            found[monomial] = found.get(monomial, 0.0) + one * other
    return {monomial: value for monomial, value in found.items() if value != 0}


def _raised(base: Sum, power: int) -> Sum:
    if len(base) == 1:
        ((monomial, value),) = base.items()
        try:
            scaled = value**power
        except OverflowError:
            return _atom(("**", _frozen(base), power))
        return {tuple((atom, each * power) for atom, each in monomial if power): scaled}
    if 0 <= power <= _HIGHEST_POWER:
        found: Sum = {(): 1.0 + 0.0j}
        for _ in range(power):
            found = _multiplied(found, base)
        return found
    return _atom(("**", _frozen(base), power))


def _atom(atom: Atom) -> Sum:
    return {((atom, 1),): 1.0 + 0.0j}


def _sorted(powers: Any) -> Monomial:
    return tuple(sorted(powers, key=repr))


def _frozen(one: Sum) -> tuple[tuple[Monomial, complex], ...]:
    return tuple(sorted(((monomial, _rounded(value)) for monomial, value in one.items()), key=repr))


def _conjugate_atom(atom: Atom) -> Atom:
    name, *inner = atom
    if name in ("t", "p"):
        return atom
    turned = [_frozen(conjugate(dict(each))) if isinstance(each, tuple) else each for each in inner]
    return (name, *(sorted(turned, key=repr) if name == "*" else turned))


def _rounded(value: complex) -> complex:
    return complex(float(f"{value.real:.{_DIGITS}g}") + 0.0, float(f"{value.imag:.{_DIGITS}g}") + 0.0)

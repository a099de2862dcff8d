"""Terms, jump operators, observables and initial states of a request, read and checked."""

from collections.abc import Sequence

from qfleet_controlplane.compile.dynamics import formulas, hermitian, operators, space, states
from qfleet_controlplane.compile.dynamics.formulas import Names
from qfleet_controlplane.compile.dynamics.operators import Space
from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_wire import api
from qfleet_wire.workload import formula
from qfleet_wire.workload.dynamics import Measured, Operator, Preparation, Term
from qfleet_wire.workload.formula import Call, Combination, Formula, Number

TERMS = 10_000
"""Most terms of a Hamiltonian."""
JUMPS = 1_000
OBSERVABLES = 1_000
ENTRIES = 2_000_000
"""Most matrix entries that comparing a list of operators may touch: a second or two."""


def hamiltonian(work: api.DynamicsRequest, declared: Space, names: Names) -> tuple[Term, ...]:
    """Read the Hamiltonian and see that it equals its adjoint.

    Raises:
        RequestRefused: a term cannot be read, or its adjoint is not in the sum.
    """
    _check_count("work.hamiltonian", len(work.hamiltonian), TERMS)
    found: list[Term] = []
    numbers: list[int] = []
    for number, asked in enumerate(work.hamiltonian):
        field = f"work.hamiltonian[{number}]"
        operator = operators.parse(f"{field}.operator", asked.operator, declared)
        coefficient = formulas.parse(f"{field}.coefficient", asked.coefficient, names)
        found.append(Term(operator, coefficient))
        numbers.append(number)
        if asked.add_adjoint:
            found.append(Term(operators.adjoint(operator), conjugate(coefficient)))
            numbers.append(number)
    _check_entries("work.hamiltonian", [term.operator for term in found], declared)
    lone = hermitian.without_partner(tuple(found), declared)
    if lone is not None:
        hint = "set add_adjoint = true, or add the conjugate term; Hermitian operators have real coefficients"
        message = "is not Hermitian: the sum of all terms lacks its adjoint"
        raise RequestRefused(f"work.hamiltonian[{numbers[lone]}]", message, hint)
    return tuple(found)


def jumps(work: api.DynamicsRequest, declared: Space, names: Names) -> tuple[Term, ...]:
    """Read the jump operators and their rates.

    Raises:
        RequestRefused: one cannot be read, or a rate is complex.
    """
    _check_count("work.collapse", len(work.collapse), JUMPS)
    found = []
    for number, asked in enumerate(work.collapse):
        field = f"work.collapse[{number}]"
        operator = operators.parse(f"{field}.operator", asked.operator, declared)
        rate = formulas.parse(f"{field}.rate", asked.rate, names)
        if not operator:
            raise RequestRefused(f"{field}.operator", "is 0", "leave the operator out")
        if not formula.is_real(rate):
            hint = "a rate is real; put phases into the operator"
            raise RequestRefused(f"{field}.rate", "is complex", hint)
        found.append(Term(operator, rate))
    _check_entries("work.collapse", [term.operator for term in found], declared)
    return tuple(found)


def observables(work: api.DynamicsRequest, declared: Space) -> tuple[Measured, ...]:
    """Read the observables.

    Raises:
        RequestRefused: one cannot be read, or is not Hermitian.
    """
    _check_count("work.observables", len(work.observables), OBSERVABLES)
    found = []
    for number, text in enumerate(work.observables):
        field = f"work.observables[{number}]"
        operator = operators.parse(field, text, declared)
        _check_entries(field, [operator], declared)
        if not hermitian.is_hermitian(operator, declared):
            hint = "ask for its Hermitian parts: A + A† and 1j*(A† - A), such as a(c) + adag(c)"
            raise RequestRefused(field, "is not Hermitian, so its mean is no real number", hint)
        found.append(Measured(text.strip(), operator))
    return tuple(found)


def initial(work: api.DynamicsRequest, declared: Space, names: Names) -> tuple[Preparation, ...]:
    """Read how each subsystem begins, at level 0 where nothing is said.

    Raises:
        RequestRefused: a name is no subsystem's, or it cannot begin so.
    """
    for name in work.initial:
        if name not in declared.names:
            raise space.unknown(f"work.initial.{name}", name, declared)
    return tuple(
        states.parse(f"work.initial.{name}", work.initial.get(name, "0"), subsystem, names)
        for name, subsystem in zip(declared.names, declared.subsystems, strict=True)
    )


def conjugate(one: Formula) -> Formula:
    """The complex conjugate of a formula: that of its constants."""
    match one:
        case Number(real=real, imaginary=imaginary):
            return Number(real, -imaginary) if imaginary else one
        case Call(function=function, argument=argument):
            return Call(function, conjugate(argument))
        case Combination(operation=operation, left=left, right=right):
            return Combination(operation, conjugate(left), conjugate(right))
        case _:
            return one


def _check_entries(field: str, found: Sequence[Operator], declared: Space) -> None:
    touched = sum(
        declared.subsystems[factor.subsystem].levels
        for operator in found
        for product in operator
        for factor in product.factors
    )
    if touched > ENTRIES:
        hint = "give fewer products, or fewer levels"
        raise RequestRefused(field, f"multiplies matrices with {touched:,} entries, over {ENTRIES:,}", hint)


def _check_count(field: str, count: int, most: int) -> None:
    if count > most:
        raise RequestRefused(field, f"has {count} entries", f"give at most {most}")

"""Checks that a system means something before any number is computed from it."""

import itertools
import math

from qfleet_agent.engines.errors import WorkInvalid
from qfleet_wire import workload
from qfleet_wire.workload import formula
from qfleet_wire.workload.dynamics import Operator, Preparation, Subsystem, SubsystemKind, Symbol, System

_SYMBOLS: dict[SubsystemKind, frozenset[Symbol]] = {
    "qubit": frozenset({"I", "X", "Y", "Z", "a", "adag", "n", "P"}),
    "mode": frozenset({"I", "a", "adag", "n", "P"}),
    "spin": frozenset({"I", "Jx", "Jy", "Jz", "Jp", "Jm", "P"}),
}


def check(work: workload.DynamicsSolve) -> None:
    """Check operators, formulas, times and items.

    Raises:
        WorkInvalid: with the first thing that is wrong.
    """
    system = work.system
    if not system.subsystems or any(each.levels < 2 for each in system.subsystems):
        raise WorkInvalid("a system has at least one subsystem, and each has at least 2 levels")
    if any(each.kind == "qubit" and each.levels != 2 for each in system.subsystems):
        raise WorkInvalid("a qubit has 2 levels")
    _check_times(system)
    for term in (*system.hamiltonian, *system.jumps):
        _check_operator(term.operator, system)
        _check_formula(term.coefficient, system)
    for measured in system.observables:
        _check_operator(measured.operator, system)
    _check_initial(system)
    _check_items(work)


def _check_times(system: System) -> None:
    times = system.times
    if len(times) < 2 or not all(map(math.isfinite, times)):
        raise WorkInvalid(f"{len(times)} times: at least 2 finite ones are needed")
    if any(after <= before for before, after in itertools.pairwise(times)):
        raise WorkInvalid("the times do not ascend")
    if not (system.rtol > 0 and system.atol > 0 and system.max_step >= 0):
        raise WorkInvalid(f"tolerances {system.rtol} and {system.atol}, largest step {system.max_step}")
    if (system.method == "mcsolve" and not system.jumps) or (system.method == "sesolve" and system.jumps):
        raise WorkInvalid(f"{system.method} with {len(system.jumps)} jump operators")


def _check_operator(operator: Operator, system: System) -> None:
    for product in operator:
        if not (math.isfinite(product.real) and math.isfinite(product.imaginary)):
            raise WorkInvalid("a product has a number that is not finite")
        for factor in product.factors:
            if not 0 <= factor.subsystem < len(system.subsystems):
                raise WorkInvalid(f"an operator names subsystem {factor.subsystem}")
            subsystem = system.subsystems[factor.subsystem]
            if factor.symbol not in _SYMBOLS[subsystem.kind]:
                raise WorkInvalid(f"{factor.symbol} is no operator of a {subsystem.kind}")
            if not 0 <= factor.level < subsystem.levels:
                raise WorkInvalid(f"level {factor.level} of a {subsystem.kind} of {subsystem.levels} levels")


def _check_formula(one: formula.Formula, system: System) -> None:
    if formula.depth_of(one) > formula.DEPTH:
        raise WorkInvalid(f"a formula is nested deeper than {formula.DEPTH} levels")
    _walk(one, len(system.parameters))


def _walk(one: formula.Formula, parameters: int) -> None:
    match one:
        case formula.Parameter(index=index):
            if not 0 <= index < parameters:
                raise WorkInvalid(f"a formula names parameter {index} of {parameters}")
        case formula.Call(function=function, argument=argument):
            if function not in formula.ENTIRE and not formula.is_real(argument):
                raise WorkInvalid(f"{function} of a complex value")
            _walk(argument, parameters)
        case formula.Combination(left=left, right=right):
            _walk(left, parameters)
            _walk(right, parameters)


def _check_initial(system: System) -> None:
    if len(system.initial) != len(system.subsystems):
        raise WorkInvalid(f"{len(system.initial)} initial states for {len(system.subsystems)} subsystems")
    for preparation, subsystem in zip(system.initial, system.subsystems, strict=True):
        _check_preparation(preparation, subsystem)
        _check_formula(preparation.value, system)
        if preparation.kind == "thermal" and system.method != "mesolve":
            raise WorkInvalid(f"a thermal state is mixed, and {system.method} evolves vectors")


def _check_preparation(preparation: Preparation, subsystem: Subsystem) -> None:
    if not 0 <= preparation.level < subsystem.levels:
        raise WorkInvalid(f"initial level {preparation.level} of {subsystem.levels}")
    qubits = ("+", "-", "+i", "-i")
    if preparation.kind in qubits and subsystem.kind != "qubit":
        raise WorkInvalid(f"a {subsystem.kind} cannot begin at {preparation.kind!r}")
    if preparation.kind in ("coherent", "thermal") and subsystem.kind != "mode":
        raise WorkInvalid(f"a {subsystem.kind} cannot begin {preparation.kind}")


def _check_items(work: workload.DynamicsSolve) -> None:
    sampled = work.system.method == "mcsolve"
    for item in work.items:
        if len(item.parameters) != len(work.system.parameters):
            raise WorkInvalid(f"item {item.index} gives {len(item.parameters)} parameters")
        if not all(map(math.isfinite, item.parameters)):
            raise WorkInvalid(f"item {item.index} has a parameter that is not finite")
        if (item.shots > 0) != sampled or item.first_block < 0 or item.index < 0:
            raise WorkInvalid(f"item {item.index} asks {work.system.method} for {item.shots} trajectories")

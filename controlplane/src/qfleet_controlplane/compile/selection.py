"""Indices, ranges and index sets: which elements of a register or array they select.

An index is a number here, or there is no selection; what is only known when the program runs is
the caller's to handle or to refuse.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from openqasm import ast

from qfleet_controlplane.compile.errors import refuse
from qfleet_controlplane.compile.typed import Typed

T = TypeVar("T")

Evaluate = Callable[[ast.Expression], Typed]
"""Compiles an expression in the present scope."""

_UNKNOWN = "use a constant, or the variable of a for loop with constant bounds"


def number(node: ast.Expression, evaluate: Evaluate, what: str = "index") -> int:
    """The integer that an expression is.

    Raises:
        ProgramRefused: it is no integer, or known only when the program runs.
    """
    value = evaluate(node)
    if not value.integral:
        raise refuse(node, f"{what} must be an integer", "cast it to int")
    if value.constant is None:
        raise refuse(node, f"{what} is known only when the program runs", _UNKNOWN)
    return int(value.constant)


def within(node: ast.Node, index: int, size: int) -> int:
    """An index from 0 to ``size - 1``; a negative one counts from the end.

    Raises:
        ProgramRefused: it is out of range.
    """
    if not -size <= index < size:
        raise refuse(node, f"index {index} is out of range for {size} elements", f"use 0 to {size - 1}")
    return index % size


def span(node: ast.Range, size: int, evaluate: Evaluate) -> range:
    """The indices of a range, both ends included.

    Raises:
        ProgramRefused: it is empty, its step is 0, or an end is out of range.
    """
    step = 1 if node.step is None else number(node.step, evaluate, "step")
    if step == 0:
        raise refuse(node, "the step of a range is 0", "use a step other than 0")
    first, last = (0, size - 1) if step > 0 else (size - 1, 0)
    start = first if node.start is None else within(node, number(node.start, evaluate), size)
    stop = last if node.end is None else within(node, number(node.end, evaluate), size)
    selected = range(start, stop + (1 if step > 0 else -1), step)
    if not selected:
        raise refuse(node, "the range selects nothing", "its start must not lie beyond its end")
    return selected


def positions(node: ast.Node, index: ast.Index, size: int, evaluate: Evaluate) -> tuple[list[int], bool]:
    """The positions that an index selects, and whether it selects a register (or one element).

    Raises:
        ProgramRefused: an index is out of range or not known.
    """
    if isinstance(index, ast.DiscreteSet):
        return [within(each, number(each, evaluate), size) for each in index.values], True
    if len(index) != 1:
        raise refuse(node, "one index is needed here", "write one index in the brackets")
    element = index[0]
    if isinstance(element, ast.Range):
        return list(span(element, size, evaluate)), True
    return [within(element, number(element, evaluate), size)], False


def select(
    node: ast.Node, items: Sequence[T], index: ast.Index, evaluate: Evaluate
) -> tuple[tuple[T, ...], bool]:
    """The items that an index selects, and whether they are a register (or one item).

    Raises:
        ProgramRefused: an index is out of range or not known.
    """
    places, register = positions(node, index, len(items), evaluate)
    return tuple(items[place] for place in places), register


def elements(
    node: ast.Node,
    index: Sequence[ast.IndexElement],
    dimensions: Sequence[int],
    evaluate: Evaluate,
) -> tuple[list[int], tuple[int, ...]]:
    """Flat positions and dimensions of what ``[i, j, …]`` selects in an array.

    Raises:
        ProgramRefused: too many indices, or one that is out of range or not known.
    """
    if len(index) > len(dimensions):
        raise refuse(node, "too many indices", f"the array has {len(dimensions)} dimensions")
    flat, kept = [0], []
    for place, size in enumerate(dimensions):
        picked, register = list(range(size)), True
        if place < len(index):
            picked, register = positions(node, [index[place]], size, evaluate)
        flat = [base * size + offset for base in flat for offset in picked]
        if register:
            kept.append(len(picked))
    return flat, tuple(kept)

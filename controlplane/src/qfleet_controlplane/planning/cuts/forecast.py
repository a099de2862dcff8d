"""What a part costs, foretold from its tree of paths.

A pass over n qubits is 2^n amplitudes. Gates are counted once for every choice of the factors before them.
"""

import math
from itertools import pairwise

from qfleet_controlplane.planning import cost
from qfleet_controlplane.planning.cuts.cut import COMPLEX_BYTES, Cut, Part
from qfleet_wire import costs, payloads
from qfleet_wire.workload import vectors

BRANCH = 1.5
"""Passes for a copy of a state and a factor on it."""
READ = 3.0
"""Passes for taking a path's state out."""
SHUFFLE = 1.0
"""Passes for a Pauli product on one state."""
PAIR = 0.08
"""Passes for one matrix element: matrix products go through amplitudes faster than gates do (measured)."""
TASK_BYTES = 1 << 23
"""Values that one task returns, unless a single path has more."""
WORKING = 3
"""Copies of a task's values that an engine holds while it puts them in order."""


def part_ms(part: Part, calibration: payloads.Calibration, first: int = 0, rows: int | None = None) -> float:
    """Time of a range of a part's paths for one parameter point."""
    rows = part.paths if rows is None else rows
    columns = part.columns(first, rows)
    total = costs.Load(items=1.0)
    below = part.paths
    counts = (1, *(place.factors for place in part.places))
    for segment, factors in zip(part.segments, counts, strict=True):
        below //= factors
        nodes = (first + columns - 1) // below - first // below + 1
        branch = costs.Load(steps=nodes, passes=BRANCH * nodes, parts=factors)
        walked = costs.Load(parts=segment.parts, steps=segment.steps * nodes, passes=segment.passes * nodes)
        total += walked + branch
    products = len(part.products) * columns
    total += costs.Load(steps=products, passes=READ * columns + products * (SHUFFLE + PAIR * rows))
    return costs.milliseconds(total, 2.0**part.qubits, calibration)


def whole_ms(cut: Cut, calibration: payloads.Calibration) -> float:
    """Time of all parts and paths for one parameter point."""
    total = 0.0
    for part in cut.parts:
        rows = most_rows(part)
        bounds = [*range(0, part.paths, rows), part.paths]
        # A range in the middle stands for all: a part may have tens of thousands of them.
        if len(bounds) > 16:
            total += (len(bounds) - 1) * part_ms(part, calibration, part.paths // 2, rows)
        else:
            total += sum(part_ms(part, calibration, a, b - a) for a, b in pairwise(bounds))
    return total


def most_rows(part: Part) -> int:
    """Most paths of one task: bounded by memory where their states meet."""
    return min(part.rows, part.paths) if part.products else part.paths


def part_bytes(part: Part, rows: int) -> int:
    """Memory of a task with so many of a part's paths."""
    held = min(rows, part.paths) if part.products else 0
    states = vectors(len(part.places), held, further=bool(part.products) and rows < part.paths)
    values = WORKING * part.result_bytes(0, min(rows, part.paths))
    return cost.BASE_BYTES + states * (COMPLEX_BYTES << part.qubits) + 2 * len(part.program) + values


def rows_within(part: Part, memory_bytes: int, values_bytes: int) -> int:
    """Most paths of one task within a memory, and within a size of the result; 0 if not even one fits."""
    low, high = 0, part.paths
    while low < high:
        middle = (low + high + 1) // 2
        fits = part_bytes(part, middle) <= memory_bytes and (
            middle == 1 or part.result_bytes(0, middle) <= values_bytes
        )
        low, high = (middle, high) if fits else (low, middle - 1)
    return low


def log2_paths(cut: Cut) -> float:
    """Log2 of the number of paths."""
    return sum(math.log2(count) for count in cut.terms)

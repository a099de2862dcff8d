"""Whether the moments of an item are those of its slice: blocks, counts, columns, finite values."""

import math

from qfleet_controlplane.planning.plan import Slice
from qfleet_wire import workload


def fault(part: Slice, item: workload.ExpectValues, *, columns: int, block: int) -> str | None:
    """Say what is wrong with an item's moments in blocks of ``block`` shots; ``columns`` counts observables.

    An observable at another time is another one.
    """
    blocks = max(1, math.ceil(part.shots / block))
    expected = [(part.first_block + n, min(block, part.shots - n * block)) for n in range(blocks)]
    if [(moments.block, moments.shots) for moments in item.moments] != expected:
        return f"item {item.index} does not cover its {blocks} blocks"
    for moments in item.moments:
        squares = columns if part.shots else 0
        if (len(moments.sums), len(moments.squares)) != (columns, squares):
            return f"item {item.index} has {len(moments.sums)} values for {columns} observables"
        if not all(map(math.isfinite, (*moments.sums, *moments.squares))):
            return f"item {item.index} has a value that is not finite"
    return None

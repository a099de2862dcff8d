"""From the bits of a model back to a schedule: as it is where no constraint is broken, else repaired.

Repair keeps of a state the order in which it begins operations and builds the schedule from that, so that
every state gives one that is possible.
"""

from collections.abc import Sequence

from qfleet_applications.manufacturing.shop import Place, without_gaps
from qfleet_applications.manufacturing.windows import Model, Question


def schedule(question: Question, model: Model, bits: Sequence[int]) -> dict[Place, int]:
    """The schedule that a state means; operations that are not free keep their order."""
    wished: dict[Place, int] = {}
    for (place, start), bit in zip(model.meaning, bits, strict=True):
        if bit:
            wished[place] = min(start, wished.get(place, start))
    return _placed(question, {place: wished.get(place, question.heads[place]) for place in question.free})


def _placed(question: Question, wished: dict[Place, int]) -> dict[Place, int]:
    """List scheduling: of the free operations that nothing free must precede, the one that wishes first."""
    left = list(wished)
    rank: dict[Place, int] = {}
    while left:
        ready = [
            one for one in left if not any(one in question.paths[other] for other in left if other != one)
        ]
        chosen = min(ready, key=lambda one: (wished[one], one))
        rank[chosen] = len(rank)
        left.remove(chosen)
    return without_gaps(question.shop, _rows(question, rank))


def _rows(question: Question, rank: dict[Place, int]) -> dict[str, list[Place]]:
    """Each machine's order: free operations by rank, on the seats that free ones had; the others stay."""
    rows = {}
    for machine, row in question.rows.items():
        free = iter(sorted((one for one in row if one in rank), key=rank.__getitem__))
        rows[machine] = [next(free) if one in rank else one for one in row]
    return rows

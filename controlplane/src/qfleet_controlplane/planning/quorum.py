"""When the copies of a task have agreed, when another device must be asked, and when there is no hope.

Agreement need not be transitive where it is statistical, so results agree when each of them agrees with
each of the others. Copies are told apart by their positions in the plan.
"""

import itertools
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, TypeAlias

MOST_COPIES = 9
"""Copies of one task: all choices among them are looked at."""


class Agreed(NamedTuple):
    """These copies agree; ``outvoted`` ones contradict each of them, ``doubtful`` ones some of them."""

    members: tuple[int, ...]
    outvoted: tuple[int, ...]
    doubtful: tuple[int, ...]


class Wait(NamedTuple):
    """So many spare copies must be given out, beside those that are under way."""

    call: int


class Hopeless(NamedTuple):
    """Not enough copies can agree any more; ``largest`` is how many do."""

    largest: int


Verdict: TypeAlias = Agreed | Wait | Hopeless


def judge(
    needed: int,
    answered: Sequence[int],
    differ: Callable[[int, int], bool],
    *,
    under_way: int,
    spare: int,
) -> Verdict:
    """Decide about the copies of a task.

    Args:
        needed: how many must agree.
        answered: positions of the copies that have a result, ascending.
        differ: whether the results of two of them contradict each other; symmetric.
        under_way: copies that wait for a device or are on one.
        spare: copies that were not given out yet.
    """
    largest = _largest(answered, differ)
    if len(largest) >= needed:
        return _agreed(largest, answered, differ)
    missing = needed - len(largest)
    if missing > under_way + spare:
        return Hopeless(len(largest))
    return Wait(max(0, missing - under_way))


def _largest(answered: Sequence[int], differ: Callable[[int, int], bool]) -> tuple[int, ...]:
    """The largest set of copies that all agree; of equal ones that which stands first."""
    for size in range(len(answered), 0, -1):
        for chosen in itertools.combinations(answered, size):
            if not any(differ(*pair) for pair in itertools.combinations(chosen, 2)):
                return chosen
    return ()


def _agreed(
    members: tuple[int, ...], answered: Collection[int], differ: Callable[[int, int], bool]
) -> Agreed:
    others = [each for each in answered if each not in members]
    outvoted = tuple(each for each in others if all(differ(each, member) for member in members))
    return Agreed(members, outvoted, tuple(each for each in others if each not in outvoted))

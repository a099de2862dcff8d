"""A chain of repeaters: how long until its ends share a pair, and which.

The protocol: all links attempt in step; a link that has its pair keeps it in two memories; when all have
theirs, every inner node swaps at once; if a Bell measurement fails, all begin anew. For this protocol rate
and state are exact:

- The number of steps until all links are ready is the largest of independent geometric numbers. For n equal
  links it is Σ_j C(n, j) (-1)^(j+1) / (1 - (1-p)^j) (Bernardes, Praxmeyer, van Loock, PRA 83, 012323,
  2011), about H_n/p for small p.
- A ready link loses correlations by the same factors in each step that it waits. Averages of products over
  all links follow from the sets of links that still wait: from a set S, with all that is ready decaying once,
  V(S) = D(S) Σ_T P(S → T) V(T). All terms are positive, so nothing cancels, unlike in the alternating sum.

It is the end-to-end rate without cut-offs, and swapping as soon as possible does better where Bell
measurements fail.
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from qfleet_controlplane import errors
from qfleet_controlplane.network.entanglement import bell
from qfleet_controlplane.network.entanglement.links import Link
from qfleet_controlplane.network.entanglement.operations import (
    FOREVER,
    PERFECT,
    Memory,
    Operations,
    swap_factor,
)

MOST_STEPS = 2_000_000

Counts = tuple[int, ...]


class InvalidChain(errors.InvalidRequest):
    """A chain cannot be so."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """End-to-end pairs: how many a second, the average state, and the steps until all links are ready."""

    rate_hz: float
    pair: bell.Pair
    steps: float


def delivered(links: Sequence[Link], operations: Operations = PERFECT, memory: Memory = FOREVER) -> Delivery:
    """Rate and average pair of a chain; the step is that of the slowest link.

    Raises:
        InvalidChain: for no links, or so many different ones that the exact average takes too long.
    """
    if not links:
        raise InvalidChain("a chain has at least one link")
    step_s = max(link.attempt_s for link in links)
    steps, kept = _averages([link.success for link in links], memory.kept(step_s))
    inner = len(links) - 1
    factor = swap_factor(operations)
    product = bell.Correlations(1.0, 1.0, 1.0)
    for link in links:
        product = product.times(link.pair.correlations())
    for _ in range(inner):
        product = product.times(factor)
    return Delivery(
        rate_hz=operations.swap_success**inner / (steps * step_s),
        pair=bell.of(product.times(kept)),
        steps=steps,
    )


def waiting_steps(successes: Sequence[float]) -> float:
    """Mean number of steps until links with these success probabilities are all ready.

    Raises:
        InvalidChain: as `delivered`.
    """
    return _averages(successes, bell.Correlations(1.0, 1.0, 1.0))[0]


def _averages(successes: Sequence[float], kept: bell.Correlations) -> tuple[float, bell.Correlations]:
    """Mean steps, and the mean of what waiting leaves of each correlation."""
    groups = Counter(successes)
    chances, counts = tuple(groups), tuple(groups.values())
    if (work := math.prod((count + 1) * (count + 2) // 2 for count in counts)) > MOST_STEPS:
        raise InvalidChain(
            f"the exact average of {len(successes)} links with {len(counts)} different success probabilities "
            f"takes {work:,} steps, more than {MOST_STEPS:,}"
        )
    means: dict[Counts, tuple[float, ...]] = {}
    total = sum(counts)
    for waiting in itertools.product(*(range(count + 1) for count in counts)):
        ready = total - sum(waiting)
        means[waiting] = _from(waiting, means, chances, [each**ready for each in kept])
    steps, *left = means[counts]
    return steps, bell.Correlations(*left)


def _from(
    waiting: Counts,
    means: dict[Counts, tuple[float, ...]],
    chances: tuple[float, ...],
    decay: list[float],
) -> tuple[float, ...]:
    """Mean steps and mean decay from when so many of each group still wait."""
    if not any(waiting):
        return (0.0, 1.0, 1.0, 1.0)
    sums = [1.0, 0.0, 0.0, 0.0]
    for still, chance in _next(waiting, chances):
        for index, mean in enumerate(means[still]):
            sums[index] += chance * mean
    leave = _leave(waiting, chances)
    # 1 - decay · stay, written so that small probabilities lose no digits.
    left = [d * s / ((1.0 - d) + d * leave) for d, s in zip(decay, sums[1:], strict=True)]
    return (sums[0] / leave, *left)


def _leave(waiting: Counts, chances: tuple[float, ...]) -> float:
    """Probability that at least one waiting link becomes ready in a step."""
    present = [(chance, count) for chance, count in zip(chances, waiting, strict=True) if count]
    if any(chance == 1.0 for chance, _ in present):
        return 1.0
    return -math.expm1(sum(count * math.log1p(-chance) for chance, count in present))


def _next(waiting: Counts, chances: tuple[float, ...]) -> Iterator[tuple[Counts, float]]:
    """Each smaller set of waiting links, and how likely one step leads there."""
    for still in itertools.product(*(range(count + 1) for count in waiting)):
        if still == waiting:
            continue
        yield (
            still,
            math.prod(
                math.comb(count, left) * chance ** (count - left) * (1.0 - chance) ** left
                for count, left, chance in zip(waiting, still, chances, strict=True)
            ),
        )

"""``amplitude.estimate``: problems, each an item whose whole loop runs on one device."""

import math
from collections.abc import Sequence

import msgspec

from qfleet_controlplane.planning import merge, plan, views
from qfleet_controlplane.planning.kinds import efforts, programs
from qfleet_controlplane.planning.plan import Fleet, Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, codec, workload

ANSWER = workload.AmplitudeResult
memory_bytes = efforts.memory_bytes
useful_memory_bytes = efforts.memory_bytes
rates = efforts.rates

_ROUNDING = 1e-9


def split(job: Specification, fleet: Fleet) -> tuple[tuple[Slice, ...], list[str]]:
    """Split by problem: the loop of one needs what its last round said."""
    return plan.by_items(job, fleet, "problem")


def encode(job: Specification, part: Slice) -> msgspec.Raw:
    """Encode the work with the problems of a slice."""
    base = _base(job)
    items = base.items[part.first_item : part.first_item + part.items]
    return msgspec.Raw(codec.encode(msgspec.structs.replace(base, seed=job.seed, items=items)))


def result_bytes(job: Specification, part: Slice) -> int:
    """Room for the rounds of each problem."""
    return 1024 + part.items * job.effort.item_result_bytes


def fault(job: Specification, part: Slice, result: workload.AmplitudeResult) -> str | None:
    """Check that the same problems come back, with intervals that their rounds allow."""
    base = _base(job)
    return programs.items_fault(part, [value.index for value in result.items]) or programs.first(
        _value_fault(base, value) for value in result.items
    )


def differ(one: workload.AmplitudeResult, other: workload.AmplitudeResult) -> str | None:
    """Compare rounds and ends: by the same seeds they are the same but for rounding."""
    left, right = ({value.index: value for value in result.items} for result in (one, other))
    if left.keys() != right.keys():
        return "the answers are for different problems"
    for index, value in left.items():
        against = right[index]
        if value.rounds != against.rounds:
            return f"the rounds of problem {index} differ"
        for name in ("estimate", "lower", "upper"):
            if abs(getattr(value, name) - getattr(against, name)) > _ROUNDING:
                return f"the {name} of problem {index} differs: {value!r} and {against!r}"
    return None


def view(
    heading: views.Heading,
    job: Specification,
    results: Sequence[workload.AmplitudeResult],
    sources: views.Sources,
) -> api.AmplitudeResultView:
    """Put the problems in order."""
    base = _base(job)
    values = merge.by_index((value for result in results for value in result.items), "problem")
    return api.AmplitudeResultView(
        job=heading.job,
        status=heading.status,
        seed=job.seed,
        epsilon=base.epsilon,
        alpha=base.alpha,
        problems={index: _estimate(values[index]) for index in sorted(values)},
        sources=sources,
    )


def _base(job: Specification) -> workload.AmplitudeEstimate:
    return codec.decode(job.problem, workload.AmplitudeEstimate)


def _estimate(value: workload.AmplitudeValue) -> api.EstimateView:
    return api.EstimateView(
        value.estimate,
        (value.lower, value.upper),
        sum(one.power * one.shots for one in value.rounds),
        tuple(api.RoundView(one.power, one.shots, one.hits) for one in value.rounds),
    )


def _value_fault(base: workload.AmplitudeEstimate, value: workload.AmplitudeValue) -> str | None:
    if not (0.0 <= value.lower <= value.estimate <= value.upper <= 1.0):
        return f"problem {value.index} has no interval around its estimate"
    angles = [math.asin(math.sqrt(end)) for end in (value.lower, value.upper)]
    if angles[1] - angles[0] > 2.0 * base.epsilon + _ROUNDING:
        return f"the interval of problem {value.index} is too long"
    return _rounds_fault(base, value) or _last_fault(value, angles)


def _rounds_fault(base: workload.AmplitudeEstimate, value: workload.AmplitudeValue) -> str | None:
    if not value.rounds:
        return f"problem {value.index} has no rounds"
    power = 0
    for one in value.rounds:
        if one.shots != base.round_shots or not 0 <= one.hits <= one.shots:
            return f"a round of problem {value.index} has {one.hits} hits in {one.shots} shots"
        if one.power != power and 4 * one.power + 2 < 2 * (4 * power + 2):
            return f"a round of problem {value.index} has the power {one.power} after {power}"
        power = one.power
    return None


def _last_fault(value: workload.AmplitudeValue, angles: list[float]) -> str | None:
    """The share of hits at the last power lies between the chances at the ends of the interval."""
    power = value.rounds[-1].power
    last = [one for one in value.rounds if one.power == power]
    share = sum(one.hits for one in last) / sum(one.shots for one in last)
    chances = sorted(math.sin((2 * power + 1) * angle) ** 2 for angle in angles)
    # An end of a short interval is known to about 1e-16 / √end as an angle, and then magnified.
    slack = _ROUNDING * (2 * power + 1)
    if not chances[0] - slack <= share <= chances[1] + slack:
        return f"the interval of problem {value.index} does not hold the {share:.4f} good of its last shots"
    return None

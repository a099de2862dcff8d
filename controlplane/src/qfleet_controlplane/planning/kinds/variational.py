"""``variational.minimise``: one optimiser's run for each start; the lowest of all counts.

An optimiser's way is not the same on every device: rounding differs with the architecture, and a
comparison of two nearly equal values may then send it elsewhere. So two results of one start must agree at
its beginning, and from there on less and less.
"""

import math
from collections.abc import Sequence

import msgspec

from qfleet_controlplane.planning import agreement, cost, merge, plan, views
from qfleet_controlplane.planning.kinds import efforts, programs
from qfleet_controlplane.planning.plan import Fleet, Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, codec, workload

ANSWER = workload.VariationalResult
memory_bytes = efforts.memory_bytes
useful_memory_bytes = efforts.memory_bytes
result_bytes = efforts.result_bytes
rates = efforts.rates

_COMPARED = 12
"""Values at the beginning of a history that two devices must agree in."""
_GROWTH = 4.0
"""How much further rounding may lead a run astray with each evaluation."""
_ROUNDING = 1e-9
"""Difference allowed between two sums of the same terms, relative to the sum of their sizes."""


_NO_PROGRAM = msgspec.Raw()


class _Names(msgspec.Struct, frozen=True):
    """A program's parameters."""

    parameters: tuple[str, ...]


class _Base(msgspec.Struct, frozen=True, omit_defaults=True, tag="variational.minimise"):
    """``workload.VariationalMinimise`` with the program as encoded bytes."""

    seed: int
    qubits: int
    cost: workload.Observable
    items: tuple[workload.MinimiseStart, ...]
    optimiser: workload.Optimiser
    evaluations: int
    tolerance: float
    program: msgspec.Raw = _NO_PROGRAM
    layers: int = 0
    shots: int = 0
    best: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        if self.program is not _NO_PROGRAM:
            return codec.decode(self.program, _Names).parameters
        layers = range(1, self.layers + 1)
        return tuple(f"{kind}_{layer}" for kind in ("gamma", "beta") for layer in layers)


def split(job: Specification, fleet: Fleet) -> tuple[tuple[Slice, ...], list[str]]:
    """Split by starts."""
    base = codec.decode(job.problem, _Base)
    slices, grouping = plan.by_items(job, fleet, "start")
    ansatz = plan.many(base.layers, "layer") + " of QAOA" if base.layers else "A program"
    told = (
        f"{ansatz} on {plan.many(base.qubits, 'qubit')} with {plan.many(len(base.names), 'parameter')}, "
        f"minimised by {base.optimiser}: about {cost.in_words(fleet.rates.item_ms)} for a start on a typical "
        f"device, at most {plan.many(base.evaluations, 'evaluation')}."
    )
    return slices, [told, *grouping]


def encode(job: Specification, part: Slice) -> msgspec.Raw:
    """Encode the work; the program's bytes stand in it as they are."""
    base = codec.decode(job.problem, _Base)
    starts = tuple(
        workload.MinimiseStart(index, job.points[index] if job.points else ())
        for index in range(part.first_item, part.first_item + part.items)
    )
    return msgspec.Raw(codec.encode(msgspec.structs.replace(base, seed=job.seed, items=starts)))


def fault(job: Specification, part: Slice, result: workload.VariationalResult) -> str | None:
    """Check that the same starts come back, that their values can be, and the costs of their strings."""
    base = codec.decode(job.problem, _Base)
    return programs.items_fault(part, [item.index for item in result.items]) or programs.first(
        _start_fault(base, item) or _samples_fault(base, item) for item in result.items
    )


def differ(one: workload.VariationalResult, other: workload.VariationalResult) -> str | None:
    """Compare the first values of each start's history."""
    pairs = zip(one.items, other.items, strict=False)
    for left, right in pairs:
        if left.index != right.index:
            return "the answers are for different starts"
        allowed = agreement.TOLERANCE * max(1.0, abs(left.trace[0]))
        if left.every == right.every == 1:
            compared = list(zip(left.trace, right.trace, strict=False))[:_COMPARED]
        else:
            compared = [(left.trace[0], right.trace[0])]
        for place, (a, b) in enumerate(compared):
            if abs(a - b) > allowed * _GROWTH**place:
                return f"evaluation {place + 1} of start {left.index} differs: {a!r} and {b!r}"
        if left.parameters == right.parameters and abs(left.value - right.value) > allowed:
            return (
                f"start {left.index} has two values for the same parameters: {left.value!r}, {right.value!r}"
            )
    return None if len(one.items) == len(other.items) else "the answers are for different starts"


def view(
    heading: views.Heading,
    job: Specification,
    results: Sequence[workload.VariationalResult],
    sources: views.Sources,
) -> api.VariationalResultView:
    """Put the starts in order, and show the lowest."""
    base = codec.decode(job.problem, _Base)
    starts = _distinct(results)
    lowest = min(starts, key=lambda start: (start.value, start.index), default=None)
    strings = [sample for start in starts for sample in start.samples]
    least = min(strings, key=lambda sample: (sample.cost, sample.outcome), default=None)
    return api.VariationalResultView(
        job=heading.job,
        status=heading.status,
        seed=job.seed,
        sources=sources,
        value=None if lowest is None else lowest.value,
        parameters={} if lowest is None else dict(zip(base.names, lowest.parameters, strict=True)),
        start=None if lowest is None else lowest.index,
        starts=tuple(_start_view(base, start) for start in starts),
        samples=() if lowest is None else tuple(_string(base, sample) for sample in lowest.samples),
        lowest=None if least is None else _string(base, least),
    )


def _distinct(results: Sequence[workload.VariationalResult]) -> list[workload.MinimisedStart]:
    """Starts in order, each once.

    Raises:
        MergeConflict: two results claim the same start and differ.
    """
    starts: dict[int, workload.MinimisedStart] = {}
    for result in results:
        for item in result.items:
            if starts.setdefault(item.index, item) != item:
                raise merge.MergeConflict(f"two different results for start {item.index}")
    return [starts[index] for index in sorted(starts)]


def _start_view(base: _Base, start: workload.MinimisedStart) -> api.StartView:
    return api.StartView(
        start=start.index,
        value=start.value,
        parameters=dict(zip(base.names, start.parameters, strict=True)),
        evaluations=start.evaluations,
        converged=start.converged,
        trace=start.trace,
        every=start.every,
    )


def _string(base: _Base, sample: workload.SampledString) -> api.StringView:
    return api.StringView(format(sample.outcome, f"0{base.qubits}b"), sample.count, sample.cost)


def _start_fault(base: _Base, item: workload.MinimisedStart) -> str | None:
    where = f"start {item.index}"
    if len(item.parameters) != len(base.names):
        return f"{where} has {len(item.parameters)} parameters instead of {len(base.names)}"
    if not all(map(math.isfinite, (item.value, *item.parameters, *item.trace))):
        return f"{where} has a value that is not finite"
    if not 1 <= item.evaluations <= base.evaluations or item.every < 1:
        return f"{where} counts {item.evaluations} evaluations of at most {base.evaluations}"
    if len(item.trace) != -(-item.evaluations // item.every) or len(item.trace) > workload.TRACE:
        return f"{where} has a history of {len(item.trace)} values for {item.evaluations} evaluations"
    return _value_fault(base, item)


def _value_fault(base: _Base, item: workload.MinimisedStart) -> str | None:
    where = f"start {item.index}"
    if (least := min(item.trace)) < item.value or (item.every == 1 and least > item.value):
        return f"{where} has the value {item.value!r} and a history down to {least!r}"
    size = math.fsum(abs(term.coefficient) for term in base.cost.terms)
    offset = math.fsum(term.coefficient for term in base.cost.terms if not term.paulis)
    reach = size - abs(offset) + _ROUNDING * size
    if any(abs(value - offset) > reach for value in (item.value, *item.trace)):
        return f"{where} has a value further than {reach!r} from {offset!r}, where no state has one"
    return None


def _samples_fault(base: _Base, item: workload.MinimisedStart) -> str | None:
    where = f"start {item.index}"
    if len(item.samples) > base.best or (base.shots and not item.samples):
        return f"{where} tells {len(item.samples)} strings of at most {base.best}"
    if sum(sample.count for sample in item.samples) > base.shots:
        return f"{where} counts more than {base.shots} shots"
    size = math.fsum(abs(term.coefficient) for term in base.cost.terms)
    for sample in item.samples:
        if sample.count < 1 or not 0 <= sample.outcome < 1 << base.qubits:
            return f"{where} has {sample.count} times the outcome {sample.outcome}"
        right = _cost(base.cost, sample.outcome)
        if not abs(sample.cost - right) <= _ROUNDING * size:
            return f"{where} gives {sample.outcome:0{base.qubits}b} the cost {sample.cost!r}, not {right!r}"
    keys = [(sample.cost, sample.outcome) for sample in item.samples]
    return None if keys == sorted(keys) else f"{where} has strings out of order"


def _cost(observable: workload.Observable, outcome: int) -> float:
    """Return the value of a sum of Z products where qubit q is bit q of the outcome."""
    return math.fsum(
        term.coefficient * (-1) ** sum(outcome >> qubit & 1 for _, qubit in term.paulis)
        for term in observable.terms
    )

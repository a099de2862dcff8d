"""Whether a program is cut, and how: when no device takes it whole, or when parts cost at most half as much.

Decided once, when a job is submitted, from what the fleet's devices said they can do. What is decided
stands in the job, with its reasons and its number of paths; what would take absurdly many paths is refused
with the number.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from qfleet_controlplane.planning import cost, kinds, needs
from qfleet_controlplane.planning.cuts import assembly, forecast, partition, pieces, recombination, wording
from qfleet_controlplane.planning.cuts.cut import CAPABILITY, Cut
from qfleet_controlplane.planning.cuts.partition import Parts
from qfleet_controlplane.planning.cuts.pieces import Pieces
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import circuit, workload

MOST_PATHS = 1 << 16
"""Paths of one part: each is an evolution of its state."""
MOST_MULTIPLICATIONS = 1 << 24
"""Multiplications that put all answers of a job together, in this process: some seconds."""
MOST_BYTES = 1 << 27
"""Values that all parts of a job return together; put together, they take several times that in memory."""
GAIN = 2.0
"""What fits on a device is cut when that saves at least this factor …"""
WORTH_MS = 500.0
"""… of at least so much time for a parameter point."""
COSTLY_MS = 5_000.0
"""What takes longer on one device is cut into more parts than needed, if that is quicker."""
_MULTIPLICATION_MS = 1e-4
"""Of those that put a job together: plain Python."""
_MOST_PARTS = 8
_FEW_ROWS = 16
TABLEAU = workload.capability("circuit.expect", "stabilizer")
_KINDS = frozenset({"circuit.expect", "circuit.amplitudes"})


class Tried(NamedTuple):
    """A cut that was looked at, what it takes, and why it cannot be, if so."""

    job: Specification
    parts: Parts
    each_ms: float
    log2_paths: float
    fault: str | None


def fitted(
    job: Specification, program: circuit.Program | None, classes: Sequence[needs.Worker]
) -> Specification:
    """Return the job as it is to be run on a fleet of these devices: whole, or cut.

    Without any device nothing is known, and nothing is cut.

    Raises:
        PlanRefused: no device takes it whole and no cut is within the bounds; names the number of paths.
    """
    if program is None or job.kind not in _KINDS or job.dynamic or job.method or job.noise:
        return job
    if job.clifford and any(_runs(TABLEAU, each) for each in classes):
        return job  # a tableau is cheaper than any cut, however wide the program
    asked = assembly.Asked(
        [term.paulis for observable in job.observables for term in observable.terms], job.bitstrings
    )
    chooser = _Chooser(job, program, asked, classes)
    whole = chooser.whole()
    if not classes or chooser.runs(whole):
        return chooser.cheaper(whole)
    return chooser.narrower() or whole


class _Chooser:
    """One decision."""

    def __init__(
        self,
        job: Specification,
        program: circuit.Program,
        asked: assembly.Asked,
        classes: Sequence[needs.Worker],
    ) -> None:
        self._job, self._program, self._asked = job, program, asked
        self._classes = classes
        self._able = [each for each in classes if _runs(CAPABILITY, each)]
        calibrations = [cost.calibration_of(each, CAPABILITY) for each in self._able]
        self._calibration = min(calibrations, key=lambda each: each.amplitude_ns, default=cost.DEFAULT)
        self._pieces: Pieces | None = None

    def whole(self) -> Specification:
        """Return the job without a cut; amplitudes come from one part with one path."""
        if self._job.kind == "circuit.expect":
            return self._job
        return self._of((tuple(range(self._program.qubits)),)).job

    def runs(self, job: Specification) -> bool:
        """Whether any device can run a job's tasks."""
        needed = needs.requirement(job)
        return any(needs.lacks(needed, each) is None for each in self._classes)

    def cheaper(self, whole: Specification) -> Specification:
        """Return a cut that saves enough, or else the whole, told why."""
        whole_ms = kinds.rates(whole, self._calibration).cost_ms(1, 1 if whole.cut else 0)
        if not self._able or whole_ms < WORTH_MS:
            return whole
        half = -(-self._program.qubits // 2)
        best = _best(self._tries(dict.fromkeys((half, min(self._program.qubits - 1, half + half // 4)))))
        if best is None:
            return whole
        if best.fault is None and best.each_ms * GAIN <= whole_ms:
            gain = (
                f"that takes about {cost.in_words(best.each_ms)} of one device's time instead of "
                f"{cost.in_words(whole_ms)} for the whole state vector"
            )
            return _told(best.job, f"{wording.described(best.job.cut)}: {gain}.")
        why = best.fault or (
            f"take about {cost.in_words(best.each_ms)}, the whole state vector {cost.in_words(whole_ms)}"
        )
        reason = f"Not cut: {len(best.parts)} parts would have {wording.paths(best.log2_paths)}, and {why}."
        return msgspec.structs.replace(whole, reason=reason)

    def narrower(self) -> Specification | None:
        """Return a cut into parts that devices can take; None where none runs parts or fits one qubit.

        Raises:
            PlanRefused: there is none within the bounds.
        """
        width = max((each.max_qubits for each in self._able), default=0)
        qubits = self._program.qubits
        if width < 1:
            return None
        bound = min(width, qubits - 1)
        # The fewest parts have the fewest paths; more of them are for what would take long, or too much.
        tried = self._tries([bound])
        if not tried or tried[0].each_ms > COSTLY_MS:
            tried += self._tries(size for k in range(2, _MOST_PARTS) if (size := -(-qubits // k)) < bound)
        best = _best(tried)
        if best is None or best.fault is not None:
            fault = (
                None if best is None or best.fault is None else (len(best.parts), best.log2_paths, best.fault)
            )
            raise wording.refused(qubits, width, fault)
        whole = wording.none_takes(qubits, width)
        return _told(best.job, f"{wording.described(best.job.cut)}: {whole}.")

    def _tries(self, bounds: Iterable[int]) -> list[Tried]:
        program = self._read()
        weights = program.weights()
        found: list[Tried] = []
        seen: set[Parts] = set()
        for bound in bounds:
            parts = partition.partition(weights, program.qubits, bound)
            if parts is None or parts in seen or len(parts) < 2:
                continue
            seen.add(parts)
            through = max(partition.through(weights, parts))
            if through > 2 * math.log2(MOST_PATHS):
                # Not even assembled: a program may have a hundred thousand gates across.
                fault = f"{wording.paths(through)} through one part are over the limit of {MOST_PATHS:,}"
                log2 = partition.crossing(weights, parts)
                found.append(Tried(self._job, parts, math.inf, log2, fault))
            else:
                found.append(self._of(parts))
        return found

    def _of(self, parts: Parts) -> Tried:
        program = self._read()
        cut = assembly.assemble(program, parts, self._job.points, self._program.parameters, self._asked)
        able = [each for each in self._able if each.max_qubits >= cut.widest]
        sizes = sorted(each.task_memory_bytes for each in able)
        fits = [self._rows(cut, size) for size in sizes[:1] + sizes[-1:]] or [cut]
        enough = [
            each
            for each in fits
            if all(part.rows >= min(part.paths, _FEW_ROWS) for part in each.parts if part.products)
        ]
        cut = enough[0] if enough else fits[-1]
        fault = self._fault(cut) if len(parts) > 1 else None
        job = msgspec.structs.replace(self._job, cut=cut, qubits=cut.widest)
        together_ms = _MULTIPLICATION_MS * self._multiplications(cut)
        each_ms = math.inf if fault else forecast.whole_ms(cut, self._calibration) + together_ms
        return Tried(job, parts, each_ms, forecast.log2_paths(cut), fault)

    def _rows(self, cut: Cut, memory_bytes: int) -> Cut:
        parts = tuple(
            msgspec.structs.replace(part, rows=forecast.rows_within(part, memory_bytes, forecast.TASK_BYTES))
            for part in cut.parts
        )
        return msgspec.structs.replace(cut, parts=parts)

    def _fault(self, cut: Cut) -> str | None:
        """Say which bound a cut breaks, with the number."""
        if any(part.paths > MOST_PATHS for part in cut.parts):
            most = max(part.paths for part in cut.parts)
            return f"{most:,} paths through one part are over the limit of {MOST_PATHS:,}"
        work = self._job.items * self._multiplications(cut)
        if work > MOST_MULTIPLICATIONS:
            return (
                f"putting the parts together takes {work:,} multiplications, over the limit of "
                f"{MOST_MULTIPLICATIONS:,}"
            )
        size = self._job.items * sum(part.result_bytes(0, part.paths) for part in cut.parts)
        if size > MOST_BYTES:
            return f"the parts return {size >> 20:,} MiB, over the limit of {MOST_BYTES >> 20:,} MiB"
        if any(part.rows < 1 for part in cut.parts):
            return "the states of a part do not fit into the memory of a task"
        return None

    def _multiplications(self, cut: Cut) -> int:
        """Multiplications that put one parameter point together."""
        amplitudes = len(set(cut.strings)) * recombination.order(cut, sides=1).cost if cut.strings else 0
        products = len(set(cut.products)) * recombination.order(cut, sides=2).cost if cut.products else 0
        return amplitudes + products

    def _read(self) -> Pieces:
        if self._pieces is None:
            self._pieces = pieces.read(self._program)
            assert self._pieces is not None, "the job is static"
        return self._pieces


def _runs(capability: str, able: needs.Worker) -> bool:
    return any(capability in engine.kinds for engine in able.engines)


def _best(tried: Sequence[Tried]) -> Tried | None:
    return min(tried, key=lambda each: (each.fault is not None, each.each_ms, each.log2_paths), default=None)


def _told(job: Specification, sentence: str) -> Specification:
    assert job.cut is not None, "told of a cut"
    return msgspec.structs.replace(job, cut=msgspec.structs.replace(job.cut, told=(sentence,)))

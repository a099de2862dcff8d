"""``kernel.matrix``: request → groups of data points, and the blocks of the matrix between them.

Blocks belong to the job: their size depends on the request alone, so that the seeds of estimated entries
do not depend on the plan.
"""

from itertools import pairwise
from math import isfinite

import msgspec

from qfleet_controlplane.compile import feature_maps, interface, program, source
from qfleet_controlplane.compile.compiled import PROGRAM_BYTES, CompiledJob, asked, check_number, check_unused
from qfleet_controlplane.compile.effort import Effort
from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_controlplane.compile.facts import facts_of
from qfleet_wire import api, circuit, circuit_facts, codec, workload
from qfleet_wire.limits import LIMITS

ENTRIES = 4_000_000
"""Most entries of a matrix."""
GROUP = 64
"""Most points of a group."""
GROUPS = 8
"""Groups that a set of points is parted into, so that several devices have something to do."""
STATES_BYTES = 256 * 1024 * 1024
"""Memory of the states of one block, where smaller blocks can keep to it."""
_OVERLAP = 0.25
"""A product of two states, in gates on one state (measured)."""
_FUSED_FROM = 14
"""Width from which a device prepares a program anew for each point."""
_OWN_STATES = 3

Points = tuple[tuple[float, ...], ...]


class KernelProblem(msgspec.Struct, frozen=True):
    """What all tasks share: the encoded program and groups, and how they stand in the matrix.

    ``rows`` and ``columns`` are the points of each; ``columns`` is 0 for one set of points with itself.
    Groups are numbered through: those of the rows, then those of the columns.
    """

    program: msgspec.Raw
    groups: tuple[msgspec.Raw, ...]
    rows: int
    columns: int
    size: int
    shots: int

    @property
    def blocks(self) -> list[workload.KernelBlock]:
        """All blocks, row after row; of a symmetric matrix those on and right of the diagonal."""
        high = -(-self.rows // self.size)
        if not self.columns:
            places = [(row, column) for row in range(high) for column in range(row, high)]
        else:
            wide = -(-self.columns // self.size)
            places = [(row, high + column) for row in range(high) for column in range(wide)]
        return [workload.KernelBlock(index, *place) for index, place in enumerate(places)]

    def span(self, group: int) -> range:
        """Places of a group's points among the rows or the columns."""
        high = -(-self.rows // self.size)
        first, points = (group, self.rows) if group < high else (group - high, self.columns)
        return range(first * self.size, min((first + 1) * self.size, points))


def kernel(request: api.JobRequest) -> CompiledJob:
    """Compile a job of this kind.

    Raises:
        RequestRefused: a field's value cannot be served.
        ProgramRefused: the program cannot run; with its place.
    """
    work = asked(request, api.KernelRequest, using=("program", "shots"))
    _check_points(work)
    check_number("shots", request.shots, 0, LIMITS.shots)
    compiled = _feature_map(request, work)
    size = _size(max(len(work.points), len(work.others)), compiled.qubits)
    points = [*_groups(work.points, size), *_groups(work.others, size)]
    problem = KernelProblem(
        msgspec.Raw(codec.encode(compiled)),
        tuple(
            msgspec.Raw(codec.encode(workload.KernelGroup(number, group)))
            for number, group in enumerate(points)
        ),
        len(work.points),
        len(work.others),
        size,
        request.shots,
    )
    effort = _effort(compiled, problem)
    blocks = len(problem.blocks)
    return CompiledJob(
        request.kind,
        None,
        (),
        ((),) * blocks,
        0,
        None,
        effort.item_result_bytes,
        problem=codec.encode(problem),
        effort=effort,
        qubits=compiled.qubits,
    )


def _check_points(work: api.KernelRequest) -> None:
    if not work.points:
        raise RequestRefused("work.points", "are none", "give a row of numbers for each data point")
    features = len(work.points[0])
    for field, points in (("points", work.points), ("others", work.others)):
        for number, point in enumerate(points):
            if len(point) != features:
                hint = f"give each point {features} numbers, as the first one has"
                raise RequestRefused(f"work.{field}[{number}]", f"has {len(point)} numbers", hint)
            for place, value in enumerate(point):
                if not isfinite(value):
                    where = f"work.{field}[{number}][{place}]"
                    raise RequestRefused(where, f"is {value}", "give a finite number")
    entries = len(work.points) * len(work.others or work.points)
    if entries > ENTRIES:
        hint = f"a job's matrix has at most {ENTRIES}; ask for parts of it with points and others"
        raise RequestRefused("work.points", f"make {entries} entries", hint)


def _feature_map(request: api.JobRequest, work: api.KernelRequest) -> circuit.Program:
    features = len(work.points[0])
    if work.feature_map is not None:
        check_unused(request, "program")
        if not 1 <= features <= LIMITS.qubits:
            hint = f"a built-in feature map takes from 1 to {LIMITS.qubits} features, a qubit each"
            raise RequestRefused("work.points[0]", f"has {features} numbers", hint)
        return feature_maps.built(work.feature_map, features)
    if not request.program.strip():
        hint = "name one such as zz under 'work.feature_map', or give a program whose inputs are the features"
        raise RequestRefused("work.feature_map", "is missing", hint)
    loaded = source.load(request.program)
    names = tuple(each.name for each in interface.inputs(loaded.tree))
    if len(names) != features:
        told = f"has {features} numbers and the program {len(names)} inputs"
        raise RequestRefused("work.points[0]", told, "give each point a number for each input, in order")
    compiled = program.compile_source(loaded, bindings={}, swept=names)
    if not circuit_facts.is_static(compiled):
        hint = "leave measurements and resets in mid-course, and branches on outcomes, out"
        raise RequestRefused("program", "has outcomes that steer it", hint)
    size = len(codec.encode(compiled))
    if size > PROGRAM_BYTES:
        hint = f"at most {PROGRAM_BYTES} are sent to a device; shorten the program"
        raise RequestRefused("program", f"compiles to {size} bytes", hint)
    return compiled


def _size(points: int, qubits: int) -> int:
    """Points of a group: few enough for memory, and for several groups."""
    fit = STATES_BYTES // (2 * 16 << qubits)
    return max(1, min(GROUP, fit, -(-points // GROUPS)))


def _groups(points: Points, size: int) -> list[Points]:
    bounds = [*range(0, len(points), size), len(points)]
    return [points[first:after] for first, after in pairwise(bounds)] if points else []


def _effort(compiled: circuit.Program, problem: KernelProblem) -> Effort:
    """Cost of a block: its share of all states, each of which some tasks evolve again, and its products.

    The weights were measured on x86-64 against the gates that the same machine was calibrated with.
    """
    gates = facts_of(compiled).gates
    shared = 2 * (problem.rows + problem.columns) / len(problem.blocks)
    states = min(2.0 * problem.size, shared)
    narrow = compiled.qubits < _FUSED_FROM
    return Effort(
        item_steps=states * (3.0 + (0.3 if narrow else 1.0) * gates) + 0.006 * problem.size**2,
        item_passes=states * (2.0 + 0.4 * gates) + _OVERLAP * problem.size**2,
        elements=2.0**compiled.qubits,
        memory_bytes=(2 * problem.size + _OWN_STATES) * (16 << min(compiled.qubits, 50)),
        item_result_bytes=64 + 9 * problem.size**2,
    )

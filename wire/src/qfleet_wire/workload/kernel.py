"""``kernel.matrix``: the fidelity kernel |⟨φ(x)|φ(y)⟩|² between data points.

An item is a block of the matrix: one group of points as rows, one as columns. Groups belong to the job
and not to its plan, so that estimates, whose seeds belong to blocks, do not depend on it either.
"""

import msgspec

from qfleet_wire.circuit import Program


class KernelGroup(msgspec.Struct, frozen=True):
    """Data points that stand together in a block: one value for each parameter of the feature map."""

    number: int
    points: tuple[tuple[float, ...], ...]


class KernelBlock(msgspec.Struct, frozen=True):
    """The block between two groups, by their numbers."""

    index: int
    rows: int
    columns: int


class KernelMatrix(msgspec.Struct, frozen=True, omit_defaults=True, tag="kernel.matrix"):
    """Evaluate blocks of a kernel matrix; ``program``, a static one, is the feature map φ.

    Entries are exact where ``shots`` is 0. Else each is the share of ``shots`` draws that find
    U†(y)U(x)|0…0⟩ in |0…0⟩. A block of a group with itself is symmetric and each pair is drawn once.
    """

    program: Program
    seed: int
    groups: tuple[KernelGroup, ...]
    items: tuple[KernelBlock, ...]
    shots: int = 0


class KernelValues(msgspec.Struct, frozen=True):
    """The entries of a block, row after row."""

    index: int
    values: tuple[float, ...]


class KernelResult(msgspec.Struct, frozen=True, tag="kernel.matrix"):
    """Answer to ``KernelMatrix``."""

    items: tuple[KernelValues, ...]

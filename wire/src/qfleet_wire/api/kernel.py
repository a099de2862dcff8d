"""``kernel.matrix``: what is asked, and the answer."""

from typing import Literal, TypeAlias

import msgspec

from qfleet_wire.api.results import SourceView
from qfleet_wire.api.status import JobStatus


class ZZFeatureMap(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="zz"
):
    """The feature map of Havlíček et al., Nature 567, 209 (2019): one qubit for each feature.

    ``repetitions`` of Hadamard gates, then exp(-iΣ x_i Z_i - iΣ (π - x_i)(π - x_j) Z_i Z_j) over the pairs
    of ``entangler``: each pair once (full), neighbours on a line (linear) or on a ring.
    """

    repetitions: int = 2
    entangler: Literal["full", "linear", "ring"] = "full"


class AngleFeatureMap(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="angle"
):
    """One qubit for each feature, turned from |0⟩ by it about the x or y axis."""

    rotation: Literal["rx", "ry"] = "ry"


FeatureMap: TypeAlias = ZZFeatureMap | AngleFeatureMap


class KernelRequest(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
    tag_field="kind",
    tag="kernel.matrix",
):
    """The fidelities |⟨φ(x_i)|φ(x_j)⟩|² of ``points``, or of ``points`` (rows) with ``others`` (columns).

    A point has one number for each feature. Without a ``feature_map`` it is the job's ``program``, whose
    inputs, in order of declaration, are the features. The job's ``shots`` say from how many draws each
    entry is estimated; with none it is exact.
    """

    points: tuple[tuple[float, ...], ...]
    others: tuple[tuple[float, ...], ...] = ()
    feature_map: FeatureMap | None = None


class KernelResultView(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="kernel.matrix"):
    """Result of a job of this kind; the quantum states are simulated on the devices.

    ``matrix`` has a row for each of the points; an entry is None while its block is not done. With
    ``shots`` an entry p has the standard error √(p(1 - p) / shots), without it is exact.
    """

    job: str
    status: JobStatus
    seed: int
    sources: tuple[SourceView, ...]
    shots: int
    matrix: tuple[tuple[float | None, ...], ...]

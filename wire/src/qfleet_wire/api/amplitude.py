"""``amplitude.estimate``: what is asked, and the answer."""

import msgspec

from qfleet_wire.api.results import SourceView
from qfleet_wire.api.status import JobStatus


class AmplitudeRequest(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
    tag_field="kind",
    tag="amplitude.estimate",
):
    """Estimate the amplitude of a marked outcome."""


class AmplitudeResultView(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="amplitude.estimate"
):
    """Result of a job of this kind."""

    job: str
    status: JobStatus
    seed: int
    sources: tuple[SourceView, ...]

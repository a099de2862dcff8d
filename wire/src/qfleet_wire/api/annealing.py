"""``anneal.sample``: what is asked, and the answer."""

import msgspec

from qfleet_wire.api.results import SourceView
from qfleet_wire.api.status import JobStatus


class AnnealRequest(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
    tag_field="kind",
    tag="anneal.sample",
):
    """Sample low-energy states of a binary quadratic model."""


class AnnealResultView(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="anneal.sample"):
    """Result of a job of this kind."""

    job: str
    status: JobStatus
    seed: int
    sources: tuple[SourceView, ...]

"""``variational.minimise``: what is asked, and the answer."""

import msgspec

from qfleet_wire.api.results import SourceView
from qfleet_wire.api.status import JobStatus


class VariationalRequest(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
    tag_field="kind",
    tag="variational.minimise",
):
    """Minimise a cost over the parameters of an ansatz."""


class VariationalResultView(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="variational.minimise"
):
    """Result of a job of this kind."""

    job: str
    status: JobStatus
    seed: int
    sources: tuple[SourceView, ...]

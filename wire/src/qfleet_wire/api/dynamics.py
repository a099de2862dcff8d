"""``dynamics.solve``: what is asked, and the answer."""

import msgspec

from qfleet_wire.api.results import SourceView
from qfleet_wire.api.status import JobStatus


class DynamicsRequest(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
    tag_field="kind",
    tag="dynamics.solve",
):
    """Solve an open or closed quantum system in time."""


class DynamicsResultView(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="dynamics.solve"):
    """Result of a job of this kind."""

    job: str
    status: JobStatus
    seed: int
    sources: tuple[SourceView, ...]

"""What planning must know of a kind of workload: one module each keeps to ``Kind``."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from qfleet_controlplane.planning import cost, views
from qfleet_controlplane.planning.plan import Fleet, Slice
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, payloads


class Kind(Protocol):
    """A kind of workload. Results come as the struct that ``ANSWER`` names; others are refused before."""

    @property
    def ANSWER(self) -> type[Any]:  # noqa: N802 - a constant of a module
        """Type of a task's result."""

    def rates(self, job: Specification, calibration: payloads.Calibration) -> cost.Rates:
        """Rates of a job on a device with this calibration."""

    def memory_bytes(self, job: Specification) -> int:
        """Memory that a task needs at least."""

    def useful_memory_bytes(self, job: Specification) -> int:
        """Memory beyond which a task would not run faster."""

    def split(self, job: Specification, fleet: Fleet) -> tuple[tuple[Slice, ...], list[str]]:
        """Split a job into tasks, and say why so."""

    def encode(self, job: Specification, part: Slice) -> msgspec.Raw:
        """Encode the work of one slice: the bytes of a ``workload.Work``."""

    def result_bytes(self, job: Specification, part: Slice) -> int:
        """Room that the slice's result needs at most: the disk a device reserves for it."""

    def fault(self, job: Specification, part: Slice, result: Any) -> str | None:
        """Say why a result is no answer to a slice; None when it is one."""

    def differ(self, one: Any, other: Any) -> str | None:
        """Say how two results of one task contradict each other, both of ``ANSWER``; None when they agree."""

    def view(
        self, heading: views.Heading, job: Specification, results: Sequence[Any], sources: views.Sources
    ) -> api.ResultView:
        """Merge results and show them; tasks without a result are left out."""

"""One view of many shares: sums, status, errors and placement."""

import msgspec
import pytest

from qfleet_controlplane.service.combine import combine
from qfleet_wire import api
from qfleet_wire.names import Millis


def share(status: str, progress: float = 0.0, **counts: int) -> api.JobView:
    return api.JobView(
        id="j",
        name="n",
        kind="probe.echo",
        status=status,  # type: ignore[arg-type]  # parametrised
        created=Millis(5),
        finished=Millis(sum(counts.values())) if status in api.FINISHED else None,
        items=10,
        progress=progress,
        tasks=api.TaskCounts(**counts),
        devices=("b", "a"),
        plan=("split",),
        errors=(),
    )


def test_a_job_in_one_region_is_that_share() -> None:
    only = share("running", 0.5, running=2)
    assert combine([only]) is only


@pytest.mark.parametrize(
    ("shares", "status"),
    [
        ([share("planned", pending=2), share("planned", pending=3)], "planned"),
        ([share("succeeded", 1.0, succeeded=2), share("planned", pending=3)], "running"),
        ([share("succeeded", 1.0), share("planned", pending=3)], "planned"),
        ([share("succeeded", 1.0), share("running", pending=3)], "running"),
        ([share("succeeded", 1.0, succeeded=2), share("succeeded", 1.0, succeeded=3)], "succeeded"),
        ([share("succeeded", 1.0), share("succeeded", 1.0, succeeded=3)], "succeeded"),
        ([share("succeeded", 1.0), share("failed", 0.0, failed=3)], "failed"),
        ([share("succeeded", 1.0, succeeded=2), share("failed", 0.0, failed=3)], "partial"),
        ([share("failed", 0.0, expired=2), share("partial", 0.5, succeeded=1, failed=1)], "partial"),
        ([share("succeeded", 1.0, succeeded=2), share("cancelled", 0.0, cancelled=3)], "cancelled"),
        ([share("cancelled", 0.0, cancelled=1), share("running", 0.0, running=3)], "running"),
    ],
)
def test_the_status_follows_from_all_tasks(shares: list[api.JobView], status: str) -> None:
    found = combine(shares)
    assert found.status == status
    ends = [each.finished for each in shares if each.finished is not None]
    assert found.finished == (max(ends) if status in api.FINISHED else None)
    assert combine(list(reversed(shares))).status == status


def test_counts_devices_and_progress_are_those_of_all() -> None:
    found = combine([share("running", 0.5, succeeded=1, running=1), share("running", 0.25, pending=6)])
    assert found.tasks == api.TaskCounts(succeeded=1, running=1, pending=6)
    assert found.progress == pytest.approx((0.5 * 2 + 0.25 * 6) / 8)
    assert (found.devices, found.plan, found.items) == (("a", "b"), ("split",), 10)


def test_sentences_stand_once_and_waiting_ones_last() -> None:
    one = _with(("All to x.", "Waiting: nothing can run it.", "Moved."), ("e1", "e2"))
    two = _with(("All to x.", "Moved back."), ("e2", "e3"))
    found = combine([one, two])
    assert found.placement == ("All to x.", "Moved.", "Moved back.", "Waiting: nothing can run it.")
    assert found.errors == ("e1", "e2", "e3")


def _with(placement: tuple[str, ...], errors: tuple[str, ...]) -> api.JobView:
    return msgspec.structs.replace(share("running", pending=1), placement=placement, errors=errors)

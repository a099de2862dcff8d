"""A region whose devices die: its tasks go to another region, and the job says so."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.system.site import Site

from qfleet import JobRequest

ITEMS = 1_500
EXTRA = '\n[regions."a"]\nresidency = ["EU"]\n[regions."b"]\nresidency = ["US"]\n'


@pytest.fixture
def site(tmp_path: Path, postgresql: str) -> Iterator[Site]:
    with Site(tmp_path, postgresql, {"a": 1, "b": 1}, extra=EXTRA) as running:
        yield running


def test_tasks_leave_a_region_that_cannot_run_them_unless_they_must_stay(site: Site) -> None:
    with site.connect() as fleet:
        site.processes.kill("a-0")
        job = fleet.submit(JobRequest(kind="probe.echo", items=ITEMS)).id
        bound = fleet.submit(JobRequest(kind="probe.echo", items=3, residency=("EU",))).id
        detail = fleet.wait(job, timeout_s=120)
        assert detail.job.status == "succeeded", detail.job
        assert detail.job.tasks.succeeded == len(detail.tasks) == ITEMS
        assert set(detail.job.devices) == {"b-0"}
        moved = [sentence for sentence in detail.job.placement if "moved from a to b" in sentence]
        assert moved, detail.job.placement
        assert all("could run them" in sentence for sentence in moved)
        assert fleet.job(bound).job.tasks.succeeded == 0
        site.start_agent("a-0")
        kept = fleet.wait(bound, timeout_s=120)
        assert kept.job.status == "succeeded"
        assert set(kept.job.devices) == {"a-0"}


def test_a_region_whose_broker_is_away_gets_no_task_but_what_must_stay(site: Site) -> None:
    with site.connect() as fleet:
        site.processes.kill("broker-a")

        def is_passed_over() -> bool:
            placement = fleet.submit(JobRequest(kind="probe.echo", items=1)).placement
            return "a is not used: its broker cannot be reached." in placement

        site.wait_for("region a is passed over", is_passed_over)
        bound = fleet.submit(JobRequest(kind="probe.echo", items=3, residency=("EU",)))
        assert "to wait for its broker, which cannot be reached" in bound.placement[0]
        detail = fleet.wait(fleet.submit(JobRequest(kind="probe.echo", items=ITEMS)).id, timeout_s=60)
        assert detail.job.status == "succeeded", detail.job
        assert set(detail.job.devices) == {"b-0"}
        assert not [sentence for sentence in detail.job.placement if "moved" in sentence]
        waiting = fleet.job(bound.id).job
        assert waiting.tasks.pending == 3, "nothing is leased over a dead link"
        site.start_broker("broker-a")
        kept = fleet.wait(bound.id, timeout_s=120)
        assert kept.job.status == "succeeded"
        assert set(kept.job.devices) == {"a-0"}

"""Two controllers, four regions, two brokers, as real processes over one PostgreSQL.

Whatever happens to a controller, its regions are led by the other within seconds and no job notices
beyond delay. ``QFLEET_PAUSE_S`` sets for how long a controller is stopped (60 for the long version);
``-o log_cli=true --log-cli-level=INFO`` shows what was measured.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.system.site import Site
from tests.system.witness import Witness

from qfleet import Fleet, JobRequest, Refused
from qfleet_wire import api

_log = logging.getLogger(__name__)

REGIONS = {"a": 1, "b": 1, "c": 0, "d": 0}
BROKERS = {"a": "west", "b": "east", "c": "west", "d": "east"}
TAKEOVER_S = 10.0
PATIENCE_S = 120.0
PAUSE_S = float(os.environ.get("QFLEET_PAUSE_S", "0"))
ITEMS = 1_500


@pytest.fixture
def site(tmp_path: Path, postgresql: str) -> Iterator[Site]:
    """Two controllers with the short times of tests, of which each leads two regions."""
    with Site(tmp_path, postgresql, REGIONS, brokers=BROKERS) as running:
        running.add_controller("c2")
        wait_shared(running, "c1")
        yield running


def led(site: Site, controller: str) -> dict[str, str]:
    """Who leads each region, as a controller sees it."""
    with site.connect(controller) as fleet:
        return {region.name: region.controller or "" for region in fleet.regions()}


def wait_shared(site: Site, asked: str) -> None:
    site.wait_for(
        "each controller leads two regions",
        lambda: sorted(led(site, asked).values()) == ["c1", "c1", "c2", "c2"],
    )


def region_of(site: Site, controller: str) -> str:
    """A region with a device that this controller leads, and is asked to lead if need be."""
    for region, name in led(site, controller).items():
        if name == controller and REGIONS[region]:
            return region
    pytest.fail(f"{controller} leads no region with a device")


def finished(fleet: Fleet, job: str) -> None:
    """Every task of a job ends well, and is counted once."""
    detail = fleet.wait(job, timeout_s=PATIENCE_S)
    assert detail.job.status == "succeeded", detail.job
    assert detail.job.tasks.succeeded == len(detail.tasks) == ITEMS
    result = fleet.result(job)
    assert isinstance(result, api.EchoResultView)
    assert result.items == ITEMS


def echo(fleet: Fleet) -> str:
    """A job that the planner divides over both regions with devices."""
    job = fleet.submit(JobRequest(kind="probe.echo", items=ITEMS))
    assert any("to a" in sentence for sentence in job.placement), job.placement
    assert any("to b" in sentence for sentence in job.placement), job.placement
    return job.id


def begun(site: Site, fleet: Fleet, job: str) -> None:
    site.wait_for("the job has begun", lambda: fleet.job(job).job.progress > 0.02)


def after(moment: Callable[[], None], holds: Callable[[], bool], site: Site, what: str) -> float:
    """Let something happen, and measure how long it takes until it holds."""
    started = time.monotonic()
    moment()
    site.wait_for(what, holds)
    return time.monotonic() - started


def test_a_killed_controllers_regions_are_led_by_the_other(tmp_path: Path, postgresql: str) -> None:
    with Site(tmp_path, postgresql, REGIONS, brokers=BROKERS, leases="") as site:
        site.add_controller("c2")
        wait_shared(site, "c1")
        witness = Witness(postgresql)
        before = witness.leases()
        with site.connect("c2") as fleet:
            job = echo(fleet)
            begun(site, fleet, job)
            took = after(
                lambda: site.processes.kill("c1"),
                lambda: set(led(site, "c2").values()) == {"c2"},
                site,
                "c2 leads every region",
            )
            finished(fleet, job)
        assert took <= TAKEOVER_S, f"taken over after {took:.1f} s"
        assert witness.results(job) == ITEMS
        gained = {name for name, lease in before.items() if lease.controller == "c1"}
        now = witness.leases()
        assert all(now[name].epoch > before[name].epoch for name in gained)
        assert all(now[name].epoch == before[name].epoch for name in set(now) - gained)
        _log.info("Taken over within %.2f s.", took)


def test_a_paused_controller_neither_writes_nor_commands_and_comes_back(site: Site, postgresql: str) -> None:
    witness = Witness(postgresql)
    mine = {name for name, lease in witness.leases().items() if lease.controller == "c1"}
    epochs = {name: witness.leases()[name].epoch for name in mine}
    with site.connect("c1") as fleet, site.connect("c2") as other:
        job = echo(fleet)
        begun(site, other, job)
        site.processes.pause("c1")
        started = time.monotonic()
        site.wait_for("c2 leads every region", lambda: set(led(site, "c2").values()) == {"c2"})
        taken_at = witness.now()
        second = echo(other)
        finished(other, second)
        site.wait_for("the pause is over", lambda: time.monotonic() - started >= PAUSE_S)
        site.processes.resume("c1")
        wait_shared(site, "c2")
        wait_shared(site, "c1")
        finished(fleet, job)
        finished(fleet, echo(fleet))
    log = site.processes.log("c1")
    assert all(f"The lease of region {name} in epoch {epochs[name]} is lost" in log for name in mine), log
    # It changed nothing before it was given a lease again: the first row is that very lease.
    assert [each.what for each in witness.written("c1", taken_at)][:1] == ["regions"]
    now = witness.leases()
    assert all(now[name].epoch > epochs[name] for name in mine)
    assert witness.results(job) == witness.results(second) == ITEMS


def test_controllers_share_hand_over_and_act_for_each_other(site: Site) -> None:
    with site.connect("c1") as first, site.connect("c2") as second:
        everything_through_either(site, first, second)
        mine = [region for region, name in led(site, "c1").items() if name == "c1"]
        stopped = after(
            lambda: site.processes.stop("c1"),
            lambda: set(led(site, "c2").values()) == {"c2"},
            site,
            "c2 leads every region",
        )
        # Given up, not run out: nobody waited for a lease to end.
        log = site.processes.log("c1")
        assert all(f"Gave region {region} up." in log for region in mine), log
        assert stopped <= TAKEOVER_S, f"handed over after {stopped:.1f} s"
        finished(second, second.submit(JobRequest(kind="probe.echo", items=ITEMS)).id)
    _log.info("Handed over within %.2f s.", stopped)


def everything_through_either(site: Site, first: Fleet, second: Fleet) -> None:
    """Jobs, their end, and devices' fates, whoever is asked."""
    for fleet in (first, second):
        job = echo(fleet)
        finished(second if fleet is first else first, job)
    for asked, leader in ((first, "c2"), (second, "c1")):
        tag = region_of(site, leader)
        long = asked.submit(JobRequest(kind="probe.echo", items=20_000))
        assert asked.cancel(long.id).status == "cancelled", tag
        invited = asked.invite(f"guest-of-{leader}", region=tag)
        assert invited.token
        assert asked.device(invited.device).region == tag
        assert asked.retire(invited.device, "only a guest").status == "retired"
    victim = next(iter(site.devices))
    assert second.quarantine(victim, "looks odd").status == "quarantined"
    assert second.release(victim).status in {"enrolled", "online"}
    site.wait_for("it works again", lambda: first.device(victim).status == "online")
    assert first.revoke(victim, "gone for good").status == "revoked"
    with pytest.raises(Refused, match="revoked"):
        second.invite(victim, region=site.devices[victim])

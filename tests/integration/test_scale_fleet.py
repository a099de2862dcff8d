"""Small fleets of the load generator against real processes, and the real agent when it is called."""

import asyncio
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from benchmarks import fleet_size
from benchmarks.fleet_size_running import Generator
from benchmarks.fleet_size_site import Broker, Site
from tests.integration import test_agent_daemon as daemon
from tests.integration.agent_controller import FakeController, configure, topic_of

from qfleet_wire import payloads
from qfleet_wire.channel import frames
from qfleet_wire.topics import Channel

DEVICES = 40
SELDOM_S = 600.0
"""A rhythm of heartbeats by which only a few devices have one while a test runs."""
SOON_S = 30.0
"""What takes a few seconds, on a machine that is busy with something else."""
CONFIRMED = 'qfleet_link_handshakes_total{outcome="confirmed"}'
FULL = 'qfleet_link_handshakes_total{outcome="answered"}'
needs_mosquitto = pytest.mark.skipif(
    not (shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")),
    reason="Mosquitto is not installed: apt-get install mosquitto",
)


@contextmanager
def fleet(tmp_path: Path, broker: Broker, heartbeat_s: float = SELDOM_S) -> Iterator[tuple[Site, Generator]]:
    """A fleet whose sessions are all confirmed."""
    with (
        Site(tmp_path, broker, DEVICES) as site,
        site.generator(heartbeat_s=heartbeat_s) as generator,
    ):
        site.wait_for("all are confirmed", lambda: site.metrics().get(CONFIRMED, 0) >= DEVICES)
        yield site, generator


def run_job(site: Site, tasks: int) -> str:
    """Run a job of echoes and return its status."""
    job = site.post("/api/v1/jobs", {"kind": "probe.echo", "items": tasks})["id"]
    view: dict[str, object] = {}

    def over() -> bool:
        answer = site.get(f"/api/v1/jobs/{job}")
        assert isinstance(answer, dict)
        view.update(answer["job"])
        return view["status"] not in {"planned", "running"}

    site.wait_for("the job is over", over)
    return str(view["status"])


def test_the_figures_of_a_small_fleet_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    plan = fleet_size.Plan(sizes=(10,), storm=10, heartbeat_s=1.0, windows=2)
    figures = fleet_size.measure(plan)
    assert [figure.what for figure in figures] == [
        "10 devices, a heartbeat each 1 s: processor time",
        "10 devices: resident memory",
        "broker (embedded) killed under 10 sessions: all confirmed again",
    ]
    assert all(figure.ours for figure in figures)


def test_every_device_of_a_fleet_gets_work_and_all_come_back_when_the_broker_is_killed(
    tmp_path: Path,
) -> None:
    with fleet(tmp_path, "embedded") as (site, generator):
        assert run_job(site, 4 * DEVICES) == "succeeded"
        before = site.metrics()
        site.kill_broker()
        site.wait_for("all are back", lambda: site.metrics()[CONFIRMED] >= before[CONFIRMED] + DEVICES)
        # They resume: nobody has to sign anything.
        assert site.metrics()[FULL] == before[FULL]
        assert generator.tally.unanswered == 0
        assert run_job(site, DEVICES) == "succeeded"


@needs_mosquitto
def test_a_control_plane_that_was_killed_has_its_fleet_back_long_before_the_next_heartbeat(
    tmp_path: Path,
) -> None:
    with fleet(tmp_path, "mosquitto") as (site, generator):
        job = site.post("/api/v1/jobs", {"kind": "probe.echo", "items": 500})["id"]
        site.kill_control_plane()
        site.start_control_plane()
        began = time.monotonic()
        site.wait_for("all are back", lambda: site.metrics().get(CONFIRMED, 0) >= DEVICES, timeout_s=SOON_S)
        assert time.monotonic() - began < SOON_S < SELDOM_S
        assert generator.tally.calls <= DEVICES, "a device was called more than once"
        metrics = site.metrics()
        assert metrics.get(FULL, 0) == 0, "a device that can resume did not"
        assert metrics[CONFIRMED] <= 2 * DEVICES

        def over() -> bool:
            answer = site.get(f"/api/v1/jobs/{job}")
            assert isinstance(answer, dict)
            return bool(answer["job"]["status"] == "succeeded")

        site.wait_for("the job that ran meanwhile is done", over)


def test_an_agent_that_is_called_sends_a_heartbeat_once(mosquitto: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        config = configure(tmp_path)
        async with FakeController(mosquitto).running() as controller:
            await daemon.enrol(controller, config)
            async with daemon.agent(config) as process:
                await controller.item(payloads.Heartbeat)
                seen = len(controller.items)
                for _ in range(20):
                    await controller.publish(topic_of(Channel.DOWN), frames.call(100))
                await controller.item(payloads.Heartbeat, after=seen)
                await controller.send(payloads.Ask("inventory"))
                await controller.item(payloads.Inventory, after=seen)
                beats = [item for item in controller.items[seen:] if isinstance(item, payloads.Heartbeat)]
                assert len(beats) == 1
                assert await daemon.stop(process) == 0

    asyncio.run(scenario())

"""The twin over a real store: it runs, survives restarts, does what is asked, and refuses what is wrong."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from qfleet_controlplane.errors import InvalidRequest, NotFound
from qfleet_controlplane.machine import events
from qfleet_controlplane.machine.state import ContactPlan
from qfleet_controlplane.network.survey import Survey
from qfleet_controlplane.network.twin.advance import advance
from qfleet_controlplane.network.twin.model import Want
from qfleet_controlplane.service import twin_live
from qfleet_controlplane.service.contacts import ContactPlanner
from qfleet_controlplane.service.network import NetworkOffice
from qfleet_controlplane.service.twin import TwinRunner
from qfleet_controlplane.store import networks
from qfleet_controlplane.store.database import Database
from qfleet_controlplane.store.tables.fleet import devices
from qfleet_controlplane.store.tables.network import twins
from qfleet_wire.api import network as api
from qfleet_wire.names import DeviceName, Millis, RegionName
from qfleet_wire.ways import Window

DAY_S = 86_400.0
SEATS = {"seated": {"a": "ogs-1", "b": "ogs-2", "m": "ogs-3"}, "seen": {"a": "ogs-1", "b": "ogs-2"}}
SEEN = tuple(
    api.PassView(
        satellite=satellite, site="a", rise_s=rise_s, culmination_s=5.0, set_s=set_s, elevation_deg=40.0,
        range_km=700.0, night=False, sunlit=True, bits=0.0,
    )
    for satellite, rise_s, set_s in (("s1", 1.0, 6.0), ("s2", 5.0, 9.0))
)  # fmt: skip


def survey(name: str = "line") -> Survey:
    """Two fibres in a row, in hours of 3.6 Mbit, and a demand over both."""
    hops = [("a", "m"), ("m", "b")]
    contacts = tuple(
        api.ContactView(
            number=2 * hour + hop, a=a, b=b, kind="fibre", start_s=3600.0 * hour, end_s=3600.0 * (hour + 1),
            expected_bits=3.6e6, clear_bits=3.6e6, qber=0.02,
        )
        for hour in range(24)
        for hop, (a, b) in enumerate(hops)
    )  # fmt: skip
    sites = tuple(
        api.NetworkSiteView(name=name, kind="fibre", latitude_deg=0.0, longitude_deg=0.0, altitude_m=0.0)
        for name in "amb"
    )
    return Survey(
        name=name, title="a line", epoch_ms=1_700_000_000_000, duration_s=DAY_S, sites=sites, fibres=(),
        satellites=(), passes=SEEN if name == "seen" else (), contacts=contacts,
        wants=(Want(a="a", b="b", rate_bps=500.0),),
        devices=SEATS.get(name, {}),
    )  # fmt: skip


class Desk:
    """Knows one scenario, whose text is its name."""

    async def survey(self, text: str, source: str) -> bytes:
        if text == "wrong":
            raise InvalidRequest(f"{source}, line 1: wrong")
        return msgspec.json.encode(survey(text))

    async def plan(self, survey: bytes) -> bytes:
        raise AssertionError(f"nothing here is planned, {len(survey)} bytes")

    def shipped(self) -> Sequence[api.ShippedScenario]:
        return [api.ShippedScenario(name="line", title="a line")]

    def text_of(self, name: str) -> str:
        return name


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> Millis:
        return Millis(self.now)

    def pass_s(self, seconds: float) -> None:
        self.now += int(1000 * seconds)


class Controller:
    """One control plane's part of the network, as long as it lives."""

    def __init__(self, database: Database, clock: Clock, *, leads: bool = True) -> None:
        self.leads = leads
        self.runner = TwinRunner(database, lambda: self.leads, clock)
        self.office = NetworkOffice(database, self.runner, Desk(), clock)

    async def asked(self, question: Awaitable[api.TwinView]) -> api.TwinView:
        """Let the runner look while somebody waits for what they asked."""
        waiting = asyncio.ensure_future(question)
        while not waiting.done():
            await self.runner.turn()
            await asyncio.sleep(0.01)
        return await waiting


def play(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await main()

    asyncio.run(bounded())


def held(view: api.TwinView) -> dict[str, float]:
    return {f"{store.a}{store.b}": store.level_bits for store in view.stores}


def test_the_twin_runs_as_fast_as_asked_and_stands_still_when_told(database: Database) -> None:
    async def scenario() -> None:
        clock = Clock()
        here = Controller(database, clock)
        await here.office.load(api.ScenarioRequest(name="line"), "ops")
        assert (await here.office.twin()).status == "stopped"
        view = await here.asked(here.office.simulate(api.SimulationRequest(speed=600.0), "ops"))
        assert (view.status, view.at_s) == ("running", 0.0)
        clock.pass_s(2.0)
        await here.runner.turn()
        view = await here.office.twin()
        assert view.at_s == 1200.0
        assert held(view) == pytest.approx({"am": 600_000.0, "mb": 600_000.0})
        assert view.services[0].served_bits == pytest.approx(600_000.0)
        assert view.services[0].path == ("a", "m", "b")
        view = await here.asked(here.office.stop("ops"))
        clock.pass_s(100.0)
        await here.runner.turn()
        assert (await here.office.twin()).at_s == view.at_s == 1200.0
        await here.asked(here.office.simulate(api.SimulationRequest(speed=60.0), "ops"))
        clock.pass_s(1.0)
        await here.runner.turn()
        assert (await here.office.twin()).at_s == 1260.0

    play(scenario)


def test_a_scenario_says_which_of_its_devices_the_fleet_does_not_know(database: Database) -> None:
    async def scenario() -> None:
        here = Controller(database, Clock())
        rows = [{"name": "ogs-1", "status": "lost", "trust": 0.5},
                {"name": "ogs-2", "status": "revoked", "trust": 0.5}]  # fmt: skip
        await database.writer.run(lambda connection: connection.execute(devices.insert(), rows))
        view = await here.office.load(api.ScenarioRequest(name="seated"), "ops")
        assert [(one.node, one.device, one.enrolled) for one in view.devices] == [
            ("a", "ogs-1", True), ("b", "ogs-2", False), ("m", "ogs-3", False)
        ]  # fmt: skip

    play(scenario)


def test_a_restart_goes_on_where_the_clock_is_and_another_controller_sees_the_same(
    database: Database,
) -> None:
    async def scenario() -> None:
        clock = Clock()
        first = Controller(database, clock)
        await first.office.load(api.ScenarioRequest(name="line"), "ops")
        await first.asked(first.office.simulate(api.SimulationRequest(speed=100.0), "ops"))
        clock.pass_s(10.0)
        await first.runner.turn()
        before = await first.office.twin()
        assert before.at_s == 1000.0
        clock.pass_s(20.0)  # nobody is there
        second, watcher = Controller(database, clock), Controller(database, clock, leads=False)
        await second.runner.turn()
        after = await second.office.twin()
        assert after.at_s == 3000.0
        assert held(after)["am"] == pytest.approx(1_500_000.0)
        clock.pass_s(6.0)
        await second.runner.turn()
        await watcher.runner.turn()
        assert watcher.runner.live is None
        assert await watcher.office.twin() == await second.office.twin()
        # What is asked of a controller that does not run the twin is done by the one that does.
        asking = asyncio.ensure_future(
            watcher.office.fault(api.FaultRequest(a="a", b="m", fault="failed"), "ops")
        )
        while not asking.done():
            await second.runner.turn()
            await asyncio.sleep(0.01)
        assert [(one.a, one.b, one.fault) for one in (await asking).faults] == [("a", "m", "failed")]

    play(scenario)


def test_a_twin_that_has_ended_begins_again_when_it_is_run(database: Database) -> None:
    async def scenario() -> None:
        clock = Clock()
        here = Controller(database, clock)
        await here.office.load(api.ScenarioRequest(name="line"), "ops")
        await here.asked(here.office.simulate(api.SimulationRequest(speed=1e5), "ops"))
        clock.pass_s(1.0)
        await here.runner.turn()
        ended = await here.office.twin()
        assert (ended.status, ended.at_s) == ("ended", DAY_S)
        clock.pass_s(10.0)
        await here.runner.turn()
        again = Controller(database, clock)
        await again.runner.turn()
        assert await again.office.twin() == ended
        view = await again.asked(again.office.simulate(api.SimulationRequest(speed=1.0), "ops"))
        assert (view.status, view.at_s, view.stores) == ("running", 0.0, ())

    play(scenario)


def test_loading_another_scenario_takes_the_place_of_the_one_before(database: Database) -> None:
    async def scenario() -> None:
        here = Controller(database, Clock())
        with pytest.raises(NotFound, match="no scenario is loaded"):
            await here.office.overview()
        with pytest.raises(NotFound, match="no scenario is loaded"):
            await here.office.text("")
        await here.office.load(api.ScenarioRequest(name="line"), "ops")
        assert await here.office.text("") == api.ScenarioText(source="line.toml", text="line")
        await here.asked(here.office.simulate(api.SimulationRequest(), "ops"))
        assert (await here.office.load(api.ScenarioRequest(text="other"), "ops")).name == "other"
        view = await here.office.twin()
        assert (view.name, view.status, view.stores) == ("other", "stopped", ())
        with pytest.raises(InvalidRequest, match="mine, line 1: wrong"):
            await here.office.load(api.ScenarioRequest(text="wrong", source="mine"), "ops")
        assert (await here.office.overview()).name == "other"

    play(scenario)


def test_what_is_wrong_is_refused_with_what_and_where(database: Database) -> None:
    async def scenario() -> None:
        office = Controller(database, Clock()).office
        await office.load(api.ScenarioRequest(name="line"), "ops")
        with pytest.raises(InvalidRequest, match="not both, not neither"):
            await office.load(api.ScenarioRequest(), "ops")
        for source in ("a\x00b", "a\nb", "a" * 201):
            with pytest.raises(InvalidRequest, match="at most 200 characters"):
                await office.load(api.ScenarioRequest(text="x", source=source), "ops")
        for speed in (0.0, 1e-300, 1e7):
            with pytest.raises(InvalidRequest, match=r"speed = .* must lie in"):
                await office.simulate(api.SimulationRequest(speed=speed), "ops")
        for seed in (-1, 2**63):
            with pytest.raises(InvalidRequest, match=r"seed = .* must lie in"):
                await office.simulate(api.SimulationRequest(seed=seed), "ops")
        with pytest.raises(InvalidRequest, match="no site or satellite 'c'"):
            await office.passes("c", "", 10)
        with pytest.raises(InvalidRequest, match="no site or satellite ''"):
            await office.fault(api.FaultRequest(a="", b="a", fault="failed"), "ops")
        with pytest.raises(InvalidRequest, match="no link that ever makes keys"):
            await office.fault(api.FaultRequest(a="a", b="b", fault="failed"), "ops")
        with pytest.raises(InvalidRequest, match="share = 2"):
            await office.fault(api.FaultRequest(a="a", b="m", fault="intercepted", share=2.0), "ops")
        with pytest.raises(InvalidRequest, match="between two nodes"):
            await office.routes(api.RouteRequest(a="a", b="a", bits=1.0))

    play(scenario)


def test_a_twin_is_not_looked_at_while_a_thread_changes_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        clock = Clock()
        here = Controller(database, clock)
        await here.office.load(api.ScenarioRequest(name="line"), "ops")
        await here.asked(here.office.simulate(api.SimulationRequest(speed=600.0), "ops"))
        clock.pass_s(2.0)
        begun, goes_on = threading.Event(), threading.Event()

        def slowly(*arguments: Any) -> None:
            begun.set()
            goes_on.wait(10)
            advance(*arguments)

        monkeypatch.setattr(twin_live, "advance", slowly)
        turning = asyncio.ensure_future(here.runner.turn())
        await asyncio.to_thread(begun.wait, 10)
        looking = asyncio.ensure_future(here.office.twin())
        await asyncio.sleep(0.1)
        assert not looking.done()
        goes_on.set()
        await turning
        assert (await looking).at_s == 1200.0

    play(scenario)


async def seen(office: NetworkOffice, status: str) -> api.TwinView:
    """The twin as soon as it has that status."""
    while True:
        view = await office.twin()
        if view.status == status:
            return view
        await asyncio.sleep(0.01)


def fails(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Let the twin fail whenever it is to run, for as long as the list is not empty."""
    broken = [True]

    def advanced(*arguments: Any) -> None:
        if broken:
            raise KeyError("a supply that is not there")
        advance(*arguments)

    monkeypatch.setattr(twin_live, "advance", advanced)
    return broken


def test_a_twin_that_fails_says_why_everywhere_and_goes_on_when_it_can(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        clock = Clock()
        here, watcher = Controller(database, clock), Controller(database, clock, leads=False)
        await here.office.load(api.ScenarioRequest(name="line"), "ops")
        await here.asked(here.office.simulate(api.SimulationRequest(speed=100.0), "ops"))
        clock.pass_s(10.0)
        await here.runner.turn()
        broken = fails(monkeypatch)
        clock.pass_s(10.0)
        for _ in range(3):
            with pytest.raises(KeyError):
                await here.runner.turn()
        told = [one for one in caplog.records if getattr(one, "action", "") == "network_twin_failed"]
        assert [one.levelname for one in told] == ["ERROR"]
        for office in (here.office, watcher.office):
            view = await office.twin()
            assert (view.status, view.at_s) == ("failed", 1000.0)
            assert view.failure == "KeyError: 'a supply that is not there'"
        broken.clear()
        await here.runner.turn()
        for office in (here.office, watcher.office):
            view = await office.twin()
            assert (view.status, view.at_s, view.failure) == ("running", 2000.0, "")
            assert held(view)["am"] == pytest.approx(1_000_000.0)

    play(scenario)


def test_a_twin_that_fails_again_and_again_can_be_stopped_begun_again_and_replaced(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        clock = Clock()
        here = Controller(database, clock)
        await here.office.load(api.ScenarioRequest(name="line"), "ops")
        await here.asked(here.office.simulate(api.SimulationRequest(), "ops"))
        fails(monkeypatch)
        running = asyncio.ensure_future(here.runner.run())
        clock.pass_s(10.0)
        here.runner.wake()
        await seen(here.office, "failed")
        view = await here.office.stop("ops")
        assert (view.status, view.at_s) == ("stopped", 0.0)
        view = await here.office.simulate(api.SimulationRequest(restart=True, seed=3), "ops")
        assert (view.seed, view.at_s) == (3, 0.0)
        await here.office.load(api.ScenarioRequest(text="other"), "ops")
        assert (await seen(here.office, "stopped")).name == "other"
        assert not running.done()
        running.cancel()

    play(scenario)


def test_a_twin_that_cannot_be_read_is_told_and_another_scenario_takes_its_place(database: Database) -> None:
    async def scenario() -> None:
        here = Controller(database, Clock())
        await here.office.load(api.ScenarioRequest(name="line"), "ops")
        await here.asked(here.office.simulate(api.SimulationRequest(), "ops"))

        def spoil(connection: sa.Connection) -> None:
            connection.execute(twins.update().values(state=b'{"seed": "x"}'))

        await database.writer.run(spoil)
        again = Controller(database, Clock())
        with pytest.raises(msgspec.ValidationError):
            await again.runner.turn()
        view = await again.office.twin()
        assert view.status == "failed"
        assert "load the scenario again" in view.failure
        await again.office.load(api.ScenarioRequest(name="line"), "ops")
        await again.runner.turn()
        assert (await again.office.twin()).status == "stopped"

    play(scenario)


def test_an_order_that_cannot_be_read_does_not_bar_the_others(database: Database) -> None:
    async def scenario() -> None:
        here = Controller(database, Clock())
        await here.office.load(api.ScenarioRequest(name="line"), "ops")
        await database.writer.run(lambda connection: networks.ask(connection, 1, b'{"type": "fly"}'))
        view = await here.asked(here.office.simulate(api.SimulationRequest(), "ops"))
        assert view.status == "running"

    play(scenario)


def test_the_first_run_takes_the_seed_that_is_given(database: Database) -> None:
    async def scenario() -> None:
        clock = Clock()
        here = Controller(database, clock)
        await here.office.load(api.ScenarioRequest(name="line"), "ops")
        view = await here.asked(here.office.simulate(api.SimulationRequest(seed=7), "ops"))
        assert view.seed == 7
        clock.pass_s(1.0)
        view = await here.asked(here.office.simulate(api.SimulationRequest(seed=8), "ops"))
        assert (view.seed, view.at_s) == (7, 600.0)

    play(scenario)


class Machines:
    """A region's service: what was handed to its machine."""

    def __init__(self) -> None:
        self.plans: list[ContactPlan] = []

    def post_nowait(self, event: events.Event) -> bool:
        assert isinstance(event, events.ContactsPlanned)
        self.plans.append(event.plan)
        return True


def test_every_machine_is_told_once_what_the_loaded_network_says_of_contacts(database: Database) -> None:
    async def scenario() -> None:
        here, led = Controller(database, Clock()), {RegionName("north"): Machines()}
        planner = ContactPlanner(database, lambda: led)
        await planner.look()
        assert not led[RegionName("north")].plans
        await here.office.load(api.ScenarioRequest(name="seen"), "ops")
        await planner.look()
        await planner.look()
        epoch = 1_700_000_000_000
        windows = (Window(Millis(epoch + 1_000), Millis(epoch + 9_000)),)
        expected = ContactPlan({DeviceName("ogs-1"): windows}, Millis(epoch + 86_400_000))
        assert led[RegionName("north")].plans == [expected]
        led[RegionName("north")] = Machines()  # another service of the region
        led[RegionName("south")] = Machines()
        await planner.look()
        assert [one.plans for one in led.values()] == [[expected], [expected]]
        await here.office.load(api.ScenarioRequest(name="line"), "ops")
        await planner.look()
        assert [dict(one.plans[-1].windows) for one in led.values()] == [{}, {}]

    play(scenario)


def test_a_plan_is_computed_once_for_all_who_ask_meanwhile(database: Database) -> None:
    class Planner(Desk):
        begun = 0

        async def plan(self, survey: bytes) -> bytes:
            self.begun += 1
            await asyncio.sleep(0)
            return msgspec.json.encode(
                api.KeyPlanView(demands=(), contacts_used=len(survey), booked_share=0.0, epoch=Millis(0))
            )

    async def scenario() -> None:
        clock, desk = Clock(), Planner()
        office = NetworkOffice(database, TwinRunner(database, lambda: True, clock), desk, clock)
        await office.load(api.ScenarioRequest(name="line"), "ops")
        plans = await asyncio.gather(*(office.plan() for _ in range(5)))
        assert plans[0].contacts_used > 0
        assert len({id(one) for one in plans}) == desk.begun == 1
        await office.load(api.ScenarioRequest(text="other"), "ops")
        await office.plan()
        assert desk.begun == 2
        request = api.RouteRequest(a="a", b="b", bits=1.0)
        assert (await office.routes(request)).routes
        asking = asyncio.ensure_future(office.fault(api.FaultRequest(a="a", b="m", fault="failed"), "ops"))
        while not asking.done():
            await office.runner.turn()
            await asyncio.sleep(0.01)
        assert "no chain of contacts joins a and b" in (await office.routes(request)).reason
        await office.plan()
        assert desk.begun == 3

    play(scenario)

"""The quantum network as the API sees it: what is loaded, what follows from it, and its twin.

What takes long is computed by a process of its own (``desk``); what is read here was committed before.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias

import msgspec
import sqlalchemy as sa

from qfleet_controlplane.errors import Conflict, InvalidRequest, NotFound, Unavailable
from qfleet_controlplane.network import entangled, ways
from qfleet_controlplane.network.remaining import remaining
from qfleet_controlplane.network.survey import Survey, network_of
from qfleet_controlplane.network.twin.model import Twin, pair
from qfleet_controlplane.service import twin_views
from qfleet_controlplane.service.twin import TwinRunner
from qfleet_controlplane.service.twin_live import Meddle, Run, Stop, order
from qfleet_controlplane.store import audit, networks
from qfleet_controlplane.store.database import Database
from qfleet_wire.api import network as api
from qfleet_wire.names import Millis

_PATIENCE_S = 15.0
"""How long the controller that runs the twin may take to do what was asked."""
_POLL_S = 0.05
_NOTHING = "no scenario is loaded: `qfleet network load NAME` does it"
_SLOWEST, _FASTEST = 1e-3, 1e6
_LARGEST_SEED = 2**63 - 1
_LONGEST_SOURCE = 200


class Desk(Protocol):
    """Where the long computations are done."""

    async def survey(self, text: str, source: str) -> bytes:
        """Return the encoded ``Survey`` of a scenario; raises ``InvalidRequest`` with what is wrong in it."""

    async def plan(self, survey: bytes) -> bytes:
        """Return the encoded ``KeyPlanView`` of a survey."""

    def shipped(self) -> Sequence[api.ShippedScenario]:
        """List the scenarios that ship."""

    def text_of(self, name: str) -> str:
        """Return the text of a shipped one; raises ``NotFound``."""


_Basis: TypeAlias = tuple[int, tuple[api.FaultView, ...], float]


class _Known(NamedTuple):
    id: int
    loaded: Millis
    survey: Survey
    encoded: bytes


@dataclass(slots=True)
class NetworkOffice:
    """The ``network`` of the API."""

    database: Database
    runner: TwinRunner
    desk: Desk
    clock: Callable[[], Millis]
    _known: _Known | None = None
    _plan: tuple[_Basis, api.KeyPlanView] | None = None
    """With the scenario's number, the faults, and the twin's time where there are any."""
    _loading: asyncio.Lock = field(default_factory=asyncio.Lock)
    _planning: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def shipped(self) -> Sequence[api.ShippedScenario]:
        """List the scenarios that come with the control plane."""
        return self.desk.shipped()

    async def text(self, name: str) -> api.ScenarioText:
        """Return the file of a scenario that ships, or of the one that is loaded. Raises ``NotFound``."""
        if name:
            return api.ScenarioText(source=f"{name}.toml", text=self.desk.text_of(name))
        found = await self.database.read(networks.loaded)
        if found is None:
            raise NotFound(_NOTHING)
        return api.ScenarioText(source=found.source, text=found.text.decode())

    async def load(self, request: api.ScenarioRequest, who: str) -> api.NetworkView:
        """Compute and store a scenario; it takes the place of the one before. Raises ``InvalidRequest``."""
        if bool(request.name) == bool(request.text):
            raise InvalidRequest("name a scenario that ships, or give the text of one: not both, not neither")
        if len(request.text) > api.LONGEST_TEXT:
            raise InvalidRequest(f"the scenario has more than {api.LONGEST_TEXT} characters")
        if len(request.source) > _LONGEST_SOURCE or not request.source.isprintable():
            raise InvalidRequest(
                f"source names the file in messages: at most {_LONGEST_SOURCE} characters that can be printed"
            )
        text = self.desk.text_of(request.name) if request.name else request.text
        source = f"{request.name}.toml" if request.name else request.source
        async with self._loading:  # one at a time: it takes a core and memory
            encoded = await self.desk.survey(text, source)

        def work(connection: sa.Connection) -> None:
            networks.load(connection, source, text.encode(), encoded, self.clock())
            audit.append(connection, [audit.Entry(self.clock(), who, "network.load", source, "")])

        await self.database.writer.run(work)
        self.runner.wake()
        return await self.overview()

    async def overview(self) -> api.NetworkView:
        """What is loaded. Raises ``NotFound`` when nothing is."""
        known = await self._take()
        survey = known.survey
        enrolled = await self.database.read(lambda connection: networks.enrolled(connection, survey.devices))
        return api.NetworkView(
            name=survey.name,
            title=survey.title,
            epoch=Millis(survey.epoch_ms),
            duration_s=survey.duration_s,
            loaded=known.loaded,
            sites=survey.sites,
            fibres=survey.fibres,
            satellites=survey.satellites,
            demands=len(survey.wants),
            passes=len(survey.passes),
            contacts=len(survey.contacts),
            expected_bits=sum(contact.expected_bits for contact in survey.contacts),
            devices=tuple(
                api.SeatView(node=node, device=device, enrolled=device in enrolled)
                for node, device in survey.devices.items()
            ),
        )

    async def passes(self, satellite: str, site: str, limit: int) -> api.PassesView:
        """Passes by rise, of one satellite or site where they are named."""
        survey = (await self._take()).survey
        _refuse_unknown(survey, satellite, site)
        found = [one for one in survey.passes if satellite in {"", one.satellite} and site in {"", one.site}]
        return api.PassesView(passes=tuple(found[:limit]), total=len(found), epoch=Millis(survey.epoch_ms))

    async def contacts(self, a: str, b: str, limit: int) -> api.ContactsView:
        """Contacts by start, of one or two nodes where they are named."""
        survey = (await self._take()).survey
        _refuse_unknown(survey, a, b)
        wanted = {a, b} - {""}
        found = [one for one in survey.contacts if wanted <= {one.a, one.b}]
        return api.ContactsView(
            contacts=tuple(found[:limit]), total=len(found), epoch=Millis(survey.epoch_ms)
        )

    async def routes(self, request: api.RouteRequest) -> api.RoutesView:
        """Say how a key comes from one node to another, with the links as they are in the twin now."""
        known = await self._take()
        _refuse_unknown(known.survey, request.a, request.b, may_be_empty=False)
        if request.a == request.b:
            raise InvalidRequest(f"a key goes between two nodes, and both are {request.a!r}")
        twin = await self.twin()
        survey = remaining(known.survey, twin.faults, twin.at_s)
        return await asyncio.to_thread(ways.routes, survey, request)

    async def entanglement(self, request: api.EntanglementRequest) -> api.EntanglementView:
        """Say which ways deliver most entangled pairs of at least a fidelity."""
        known = await self._take()
        _refuse_unknown(known.survey, request.a, request.b, may_be_empty=False)
        return await asyncio.to_thread(entangled.ways, known.survey, request)

    async def plan(self) -> api.KeyPlanView:
        """Book every demand, the most urgent first, with the links as they are in the twin now."""
        async with self._planning:  # whoever asks meanwhile gets the same answer
            known, twin = await self._take(), await self.twin()
            basis = (known.id, twin.faults, twin.at_s if twin.faults else 0.0)
            if self._plan is None or self._plan[0] != basis:
                encoded = known.encoded
                if twin.faults:
                    left = remaining(known.survey, twin.faults, twin.at_s)
                    encoded = await asyncio.to_thread(msgspec.json.encode, left)
                planned = msgspec.json.decode(await self.desk.plan(encoded), type=api.KeyPlanView)
                self._plan = (basis, planned)
            return self._plan[1]

    async def simulate(self, request: api.SimulationRequest, who: str) -> api.TwinView:
        """Let the twin run."""
        if not _SLOWEST <= request.speed <= _FASTEST:
            raise InvalidRequest(f"speed = {request.speed:g} must lie in [{_SLOWEST:g}, {_FASTEST:g}]")
        if not 0 <= request.seed <= _LARGEST_SEED:
            raise InvalidRequest(f"seed = {request.seed} must lie in [0, {_LARGEST_SEED}]")
        return await self._ask(order(Run(request)), "network.simulate", f"speed {request.speed:g}", who)

    async def stop(self, who: str) -> api.TwinView:
        """Let the twin stand still."""
        return await self._ask(order(Stop()), "network.stop", "", who)

    async def fault(self, request: api.FaultRequest, who: str) -> api.TwinView:
        """Let something be wrong with a link of the twin, or mend it."""
        survey = (await self._take()).survey
        _refuse_unknown(survey, request.a, request.b, may_be_empty=False)
        links = {pair(contact.a, contact.b) for contact in survey.contacts}
        if pair(request.a, request.b) not in links:
            raise InvalidRequest(f"{request.a} and {request.b} have no link that ever makes keys")
        if not 0 < request.share <= 1:
            raise InvalidRequest(f"share = {request.share:g} must be above 0 and at most 1")
        detail = f"{request.a} - {request.b}: {request.fault}"
        return await self._ask(order(Meddle(request)), "network.fault", detail, who)

    async def twin(self) -> api.TwinView:
        """The twin as it is."""
        known = await self._take()
        async with self.runner.still:
            live = self.runner.live
            if live is not None and live.number == known.id:
                return twin_views.view(known.survey, live.network, live.twin, (live.running, live.speed))
        saved = await self.database.read(lambda connection: networks.twin(connection, known.id))
        if saved is None:
            return twin_views.never_ran(known.survey, self.runner.failure)
        try:
            twin = msgspec.json.decode(saved.state, type=Twin)
        except msgspec.DecodeError as error:
            words = f"what was saved cannot be read ({error}): load the scenario again"
            return twin_views.never_ran(known.survey, words)
        twin.failure = self.runner.failure or twin.failure
        return twin_views.view(known.survey, network_of(known.survey), twin, (saved.running, saved.speed))

    async def _ask(self, body: bytes, action: str, detail: str, who: str) -> api.TwinView:
        """Put an order and wait until it is done, here or by the controller that runs the twin."""
        known = await self._take()

        def work(connection: sa.Connection) -> None:
            if networks.number(connection) != known.id:
                raise Conflict("another scenario was loaded meanwhile: look at it and ask again")
            networks.ask(connection, known.id, body)
            audit.append(connection, [audit.Entry(self.clock(), who, action, known.survey.name, detail)])

        await self.database.writer.run(work)
        self.runner.wake()
        await _until(lambda: self._is_done(known.id))
        return await self.twin()

    async def _is_done(self, network: int) -> bool:
        return not await self.database.read(lambda connection: networks.asked(connection, network))

    async def _take(self) -> _Known:
        """Return what is loaded, decoded once."""
        number = await self.database.read(networks.number)
        if number is None:
            raise NotFound(_NOTHING)
        if self._known is None or self._known.id != number:
            found = await self.database.read(networks.loaded)
            if found is None:
                raise NotFound(_NOTHING)
            survey = await asyncio.to_thread(msgspec.json.decode, found.survey, type=Survey)
            self._known = _Known(found.id, found.loaded, survey, found.survey)
        return self._known


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                if await holds():
                    return
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise Unavailable(
            "no controller runs the twin now; what was asked stands, and is done when one does: "
            "`qfleet network status` says why where the twin failed"
        ) from None


def _refuse_unknown(survey: Survey, *names: str, may_be_empty: bool = True) -> None:
    nodes = survey.nodes
    for name in names:
        if name not in nodes and (name or not may_be_empty):
            near = twin_views.nearest(name, nodes)
            hint = f"; did you mean {near!r}?" if near else ""
            raise InvalidRequest(f"scenario {survey.name!r} has no site or satellite {name!r}{hint}")

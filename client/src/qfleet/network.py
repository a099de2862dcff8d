"""The quantum network of a fleet: its scenario, its contact plan and its twin. All of it is simulated."""

from collections.abc import Iterator
from urllib.parse import urlencode

from qfleet import errors
from qfleet.transport import Connection
from qfleet_wire.api import network as api

_PATH = "api/v1/network"
_LOADING_S = 600.0
"""How long a large scenario may take to compute, or a plan."""
_ANSWER_S = 30.0
_SILENCE_S = 30.0


class Network:
    """The network as a control plane holds it; every method raises ``Refused`` or ``Unreachable``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def shipped(self) -> tuple[api.ShippedScenario, ...]:
        """The scenarios that come with the control plane."""
        kind = tuple[api.ShippedScenario, ...]
        answer: tuple[api.ShippedScenario, ...] = self._connection.get(f"{_PATH}/scenarios", kind)
        return answer

    def text(self, name: str = "") -> api.ScenarioText:
        """The file of a scenario that ships, or of the one that is loaded."""
        query = urlencode({"name": name})
        answer: api.ScenarioText = self._connection.get(f"{_PATH}/text?{query}", api.ScenarioText)
        return answer

    def load(self, *, name: str = "", text: str = "", source: str = "scenario") -> api.NetworkView:
        """Load a scenario that ships by ``name``, or one's own ``text``; it replaces the one before."""
        request = api.ScenarioRequest(name=name, text=text, source=source)
        answer: api.NetworkView = self._connection.post(_PATH, request, api.NetworkView, wait_s=_LOADING_S)
        return answer

    def show(self) -> api.NetworkView:
        """The scenario that is loaded."""
        answer: api.NetworkView = self._connection.get(_PATH, api.NetworkView)
        return answer

    def passes(self, *, satellite: str = "", site: str = "", limit: int = 1000) -> api.PassesView:
        """Passes by rise, of one satellite or over one site where they are named."""
        query = urlencode({"satellite": satellite, "site": site, "limit": limit})
        answer: api.PassesView = self._connection.get(f"{_PATH}/passes?{query}", api.PassesView)
        return answer

    def contacts(self, *, a: str = "", b: str = "", limit: int = 1000) -> api.ContactsView:
        """Contacts by start, of one node or between two where they are named."""
        query = urlencode({"a": a, "b": b, "limit": limit})
        answer: api.ContactsView = self._connection.get(f"{_PATH}/contacts?{query}", api.ContactsView)
        return answer

    def routes(
        self, a: str, b: str, *, bits: float, at_s: float = 0.0, alternatives: int = 3
    ) -> api.RoutesView:
        """The best ways for ``bits`` of key from ``a`` to ``b``, from ``at_s`` seconds after the epoch on."""
        request = api.RouteRequest(a=a, b=b, bits=bits, at_s=at_s, alternatives=alternatives)
        answer: api.RoutesView = self._connection.post(f"{_PATH}/routes", request, api.RoutesView)
        return answer

    def entanglement(self, a: str, b: str, *, fidelity: float, alternatives: int = 3) -> api.EntanglementView:
        """The ways that deliver most entangled pairs of at least this fidelity, over the fibres."""
        request = api.EntanglementRequest(a=a, b=b, fidelity=fidelity, alternatives=alternatives)
        answer: api.EntanglementView = self._connection.post(
            f"{_PATH}/entanglement", request, api.EntanglementView
        )
        return answer

    def plan(self) -> api.KeyPlanView:
        """Every demand of the scenario booked, the most urgent first."""
        answer: api.KeyPlanView = self._connection.get(f"{_PATH}/plan", api.KeyPlanView, wait_s=_LOADING_S)
        return answer

    def simulate(self, *, speed: float = 600.0, seed: int = 0, restart: bool = False) -> api.TwinView:
        """Let the twin run ``speed`` times as fast as the clock."""
        request = api.SimulationRequest(speed=speed, seed=seed, restart=restart)
        return self._twin(f"{_PATH}/simulation", request)

    def stop(self) -> api.TwinView:
        """Let the twin stand still."""
        return self._twin(f"{_PATH}/simulation/stop", None)

    def fault(self, a: str, b: str, fault: api.NetworkFault, *, share: float = 1.0) -> api.TwinView:
        """Let a link fail, let a ``share`` of its pulses be intercepted, or mend it (``none``)."""
        return self._twin(f"{_PATH}/faults", api.FaultRequest(a=a, b=b, fault=fault, share=share))

    def twin(self) -> api.TwinView:
        """The twin as it is."""
        answer: api.TwinView = self._connection.get(f"{_PATH}/simulation", api.TwinView)
        return answer

    def watch(self) -> Iterator[api.TwinView]:
        """Yield the twin now and on each change, for as long as it runs."""
        found = self.twin()
        yield found
        while found.status == "running":
            try:
                for event in self._connection.events(f"{_PATH}/simulation/events", silence_s=_SILENCE_S):
                    if event.name != "twin":
                        continue
                    found = self._connection.decode(event.data, api.TwinView)
                    yield found
                    if found.status != "running":
                        return
            except errors.Unreachable:
                found = self.twin()  # raises when the control plane is gone

    def _twin(self, path: str, request: api.SimulationRequest | api.FaultRequest | None) -> api.TwinView:
        answer: api.TwinView = self._connection.post(path, request, api.TwinView, wait_s=_ANSWER_S)
        return answer

"""Ways for entangled pairs over the fibres of a survey, at a demanded fidelity.

The twin's fibres carry keys; this says what repeaters at their ends could deliver over the same glass, with
the operations that the scenario's ``repeaters`` name.
"""

from itertools import islice

from qfleet_controlplane.errors import InvalidRequest
from qfleet_controlplane.network.entanglement import bell, paths
from qfleet_controlplane.network.entanglement.graph import Edge, Network
from qfleet_controlplane.network.entanglement.links import Fibre, heralded
from qfleet_controlplane.network.entanglement.operations import Operations
from qfleet_controlplane.network.survey import Survey
from qfleet_wire.api import network as api

MOST_ALTERNATIVES = 20
DARKEST_DB = 1000.0
"""A fibre that loses more is no link for pairs: not one photon in the age of the universe comes through."""


def ways(survey: Survey, request: api.EntanglementRequest) -> api.EntanglementView:
    """Return the paths that deliver most pairs of at least a fidelity.

    Raises:
        InvalidRequest: alternatives that cannot be, or a fidelity that no path reaches, with the best one
            that is.
    """
    if not 1 <= request.alternatives <= MOST_ALTERNATIVES:
        raise InvalidRequest(f"alternatives = {request.alternatives} must lie in [1, {MOST_ALTERNATIVES}]")
    ask = paths.Ask(
        a=request.a,
        b=request.b,
        fidelity=request.fidelity,
        final_rounds=survey.repeaters.final_rounds,
    )
    found = islice(paths.alternatives(network_of(survey), ask), request.alternatives)
    return api.EntanglementView(paths=tuple(_path(one) for one in found))


def network_of(survey: Survey) -> Network:
    """Return the fibres of a survey through which light comes as links of entanglement."""
    told = survey.repeaters
    pair = bell.werner(told.link_fidelity)
    edges = [
        Edge(
            number=number,
            a=one.a,
            b=one.b,
            link=heralded(
                Fibre(
                    length_km=one.length_km,
                    loss_db_per_km=one.loss_db / one.length_km,
                    efficiency=told.photon_efficiency,
                ),
                pair,
            ),
        )
        for number, one in enumerate(survey.fibres)
        if one.loss_db <= DARKEST_DB
    ]
    operations = Operations(
        one_qubit=told.one_qubit,
        two_qubit=told.two_qubit,
        readout=told.readout,
        swap_success=told.swap_success,
    )
    return Network(sorted(survey.nodes), edges, operations=operations, rounds=told.rounds)


def _path(found: paths.Path) -> api.EntangledPathView:
    return api.EntangledPathView(
        nodes=found.nodes,
        rate_hz=found.rate_hz,
        fidelity=found.fidelity,
        link_rounds=tuple(choice.rounds for choice in found.choices),
        final_rounds=found.final_rounds,
    )

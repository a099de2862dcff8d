"""What JSON cannot say is refused with the name of its field."""

import math
from typing import Any

import msgspec
import numpy as np
import pytest

from qfleet import errors, spelling
from qfleet_wire import api

POINTS: Any = np.array([[0.5, 1.0], [0.25, np.nan]])
ODD: Any = object()


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (api.JobRequest(kind="circuit.sample", lost_after_s=math.nan), "lost_after_s is nan"),
        (
            api.JobRequest(kind="circuit.sample", parameters=({"a": 0.5}, {"a": -math.inf})),
            "parameters[1].a is -inf",
        ),
        (
            api.JobRequest(
                kind="kernel.matrix", work=api.KernelRequest(points=((0.0, 1.0), (0.5, float(np.inf))))
            ),
            "work.points[1][1] is inf",
        ),
        (
            api.JobRequest(
                kind="variational.minimise",
                work=api.VariationalRequest(cost=api.CutCost(edges=(api.Edge(0, 1, math.nan),))),
            ),
            "work.cost.edges[0].weight is nan",
        ),
        (
            api.JobRequest(kind="kernel.matrix", work=api.KernelRequest(points=POINTS)),
            "work.points[1][1] is nan",
        ),
        (
            api.JobRequest(kind="kernel.matrix", work=api.KernelRequest(points=((0.0, ODD),))),
            "work.points[0][1]: the request holds what no JSON can say",
        ),
        (api.InviteRequest(device="a", valid_s=math.inf), "valid_s is inf"),
    ],
)
def test_what_no_json_can_say_is_refused_with_its_field(request_: msgspec.Struct, message: str) -> None:
    with pytest.raises(errors.UserError) as caught:
        spelling.spell(request_)
    assert str(caught.value).startswith(message)
    assert caught.value.hint


def test_whatever_is_finite_is_spelled_as_it_is() -> None:
    request = api.JobRequest(kind="probe.echo", name="null", seed=None, deadline_s=0.5)
    assert msgspec.json.decode(spelling.spell(request), type=api.JobRequest) == request


def test_numbers_and_arrays_of_numpy_are_spelled_as_what_they_hold() -> None:
    shots: Any = np.int64(100)
    points = tuple({"a": angle} for angle in np.linspace(0.0, 1.0, 3))
    sampled = api.JobRequest(kind="circuit.sample", shots=shots, parameters=points)
    assert msgspec.json.decode(spelling.spell(sampled), type=api.JobRequest) == api.JobRequest(
        kind="circuit.sample", shots=100, parameters=({"a": 0.0}, {"a": 0.5}, {"a": 1.0})
    )
    unitary: Any = np.diag([1, 1j])
    phi = api.JobRequest(kind="iit.phi", work=api.PhiRequest(unitary=unitary, state="1"))
    read = msgspec.json.decode(spelling.spell(phi), type=api.JobRequest).work
    assert isinstance(read, api.PhiRequest)
    assert [[complex(*number) for number in row] for row in read.unitary] == [[1, 0], [0, 1j]]  # type: ignore[misc]

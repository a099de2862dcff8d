"""What was meant by a name or a value that is not possible."""

from typing import Any

import msgspec
import pytest

from qfleet_wire import api, nearest

ANNEAL = {"kind": "anneal.sample", "model": {}}
COST = {"type": "cut", "edges": [[0, 1]]}


def asked(**fields: Any) -> dict[str, Any]:
    return {"kind": "circuit.sample", **fields}


@pytest.mark.parametrize(
    ("request_", "hint"),
    [
        ({"kind": "circuit.sampel"}, "did you mean `circuit.sample`?"),
        (asked(prefer="tme"), "did you mean `time`?"),
        (asked(prefer="cold"), "use `energy` or `time`"),
        (asked(work=ANNEAL | {"method": "tabo"}), "did you mean `tabu`?"),
        (asked(work=ANNEAL | {"methd": "tabu"}), "did you mean `method`?"),
        (asked(work={"kind": "anneal.sampl", "model": {}}), "did you mean `anneal.sample`?"),
        (asked(work={"kind": "iit.phi", "directions": ["effect", "caus"]}), "did you mean `cause`?"),
        (asked(work={"kind": "variational.minimise", "cost": {"type": "cuts"}}), "did you mean `cut`?"),
        (
            asked(work={"kind": "variational.minimise", "cost": COST, "optimiser": "cobila"}),
            "did you mean `cobyla`?",
        ),
        (
            asked(work={"kind": "dynamics.solve", "subsystems": [{"name": "q", "knd": "spin"}]}),
            "did you mean `kind`?",
        ),
        (asked(noise={"method": "densty"}), "did you mean `density`?"),
        (asked(noise={"gates": [{"gat": "x", "channel": "d", "probability": 0.1}]}), "did you mean `gate`?"),
        (asked(shots="many"), ""),
        (asked(zzz=1), ""),
    ],
)
def test_a_slip_is_told_what_was_meant(request_: dict[str, Any], hint: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(request_, api.JobRequest)
    assert nearest.hint(str(caught.value), api.JobRequest) == hint

"""Gradients of programs that are cut: every shifted point goes through all parts."""

import numpy as np
import pytest
from tests.unit import test_gradient_values as gradients
from tests.unit.test_cuts_choice import fleet

from qfleet_controlplane.service import submission

BODIES = {
    "angles of gates that are cut": "h q; crx(a) q[0], q[1]; rz(b) q[1]; cp(a*b) q[1], q[2]; ry(b) q[2];",
    "angles beside the cut": "ry(a) q[0]; cx q[0], q[1]; rx(b) q[1]; cz q[1], q[2]; ry(a - b) q[2];",
    "angles of gates on three qubits": (
        "h q; ctrl(2) @ ry(a) q[0], q[1], q[2]; rx(b) q[0]; ccx q[2], q[0], q[1];"
    ),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_gradient_of_a_cut_program_agrees_with_finite_differences(body: str) -> None:
    request = gradients.asked(body)
    view, job = gradients.answered(request, known=submission.Known((fleet(2),)))
    assert job.cut is not None
    assert len(job.cut.parts) == 2
    assert job.cut.terms
    function = gradients.dense(body)
    for point, item in zip(gradients.POINTS, view.items, strict=True):
        at = [point["a"], point["b"]]
        np.testing.assert_allclose([each.value for each in item.values], function(at), rtol=0, atol=1e-10)
        for place, name in enumerate(("a", "b")):
            slopes = gradients.slope(function, at, place)
            found = [each[name] for each in item.gradient]
            np.testing.assert_allclose(found, slopes, rtol=0, atol=1e-8)

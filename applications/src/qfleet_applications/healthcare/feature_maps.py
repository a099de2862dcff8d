"""Feature maps of the kernels, and the jobs that evaluate them.

The ZZ map is that of Havlíček et al., Nature 567, 209 (2019), with two repetitions. Without its pairs the
state is a product, whose kernel every computer evaluates at once: what entanglement adds is the difference.
"""

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from qfleet import JobRequest, KernelRequest, ZZFeatureMap

Floats: TypeAlias = npt.NDArray[np.float64]
Map: TypeAlias = Literal["zz", "product"]
REPETITIONS = 2
AXES = "XYZ"


def kernel(points: Floats, feature_map: Map, *, seed: int, others: Floats | None = None) -> JobRequest:
    """Ask for the fidelities of ``points`` (n, features), with themselves or with ``others``; exact."""
    zz = feature_map == "zz"
    work = KernelRequest(
        points=_rows(points),
        others=() if others is None else _rows(others),
        feature_map=ZZFeatureMap(repetitions=REPETITIONS) if zz else None,
    )
    text = "" if zz else program("product", points.shape[1])
    return JobRequest(kind="kernel.matrix", name=f"{feature_map} kernel", program=text, work=work, seed=seed)


def projections(points: Floats, *, seed: int) -> JobRequest:
    """Ask for ⟨X⟩, ⟨Y⟩ and ⟨Z⟩ of each qubit in the ZZ state of each of ``points``; exact."""
    features = points.shape[1]
    return JobRequest(
        kind="circuit.expect",
        name="projections",
        program=program("zz", features),
        observables=observables(features),
        parameters=tuple({f"x{at}": float(value) for at, value in enumerate(row)} for row in points),
        seed=seed,
    )


def observables(features: int) -> tuple[str, ...]:
    """The Pauli operators of each qubit, qubit after qubit."""
    return tuple(f"{axis}{qubit}" for qubit in range(features) for axis in AXES)


def program(feature_map: Map, features: int) -> str:
    """A map in OpenQASM 3; its inputs x0, x1, … are the features."""
    names = [f"x{at}" for at in range(features)]
    lines = ["OPENQASM 3.0;", 'include "stdgates.inc";', *(f"input float {name};" for name in names)]
    lines.append(f"qubit[{features}] q;")
    for _ in range(REPETITIONS):
        lines.append("h q;")
        lines += [f"rz(2*{name}) q[{at}];" for at, name in enumerate(names)]
        if feature_map == "zz":
            lines += [_pair(one, other) for other in range(features) for one in range(other)]
    return "\n".join(lines) + "\n"


def _pair(one: int, other: int) -> str:
    flip = f"cx q[{one}], q[{other}];"
    return f"{flip} rz(2*(pi-x{one})*(pi-x{other})) q[{other}]; {flip}"


def _rows(points: Floats) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, points.tolist()))

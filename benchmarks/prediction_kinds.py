"""Jobs of the kinds that are no single circuits, for the bag of predictions."""

import itertools
import random

from qfleet import JobRequest
from qfleet_wire import api
from qfleet_wire.api.variational import CutCost, Edge, QaoaAnsatz


def annealed(draw: random.Random) -> JobRequest:
    """A sparse spin glass."""
    variables = draw.randint(8, 150)
    pairs = [(a, b) for a in range(variables) for b in range(a)]
    model = "# vartype=SPIN\n" + "".join(
        f"{a} {b} {draw.uniform(-1, 1):.4f}\n"
        for a, b in draw.sample(pairs, min(len(pairs), draw.randint(1, 6) * variables))
    )
    work = api.AnnealRequest(
        model=model,
        method=draw.choice(("simulated", "path-integral", "tabu")),
        reads=draw.randint(1, 60),
        sweeps=draw.randint(100, 2000),
    )
    return JobRequest(kind="anneal.sample", work=work, seed=1)


def solved(draw: random.Random) -> JobRequest:
    """A chain of qubits, driven and damped."""
    names = [f"q{n}" for n in range(draw.randint(1, 5))]
    terms = [api.DynamicsTerm(f"X({name})", f"{draw.uniform(0.2, 2.0):.3f}*cos(t)") for name in names]
    terms += [
        api.DynamicsTerm(f"Z({a})*Z({b})", f"{draw.uniform(0.1, 1.0):.3f}")
        for a, b in itertools.pairwise(names)
    ]
    damped = draw.random() < 0.6
    work = api.DynamicsRequest(
        subsystems=tuple(api.DynamicsSubsystem(name) for name in names),
        hamiltonian=tuple(terms),
        collapse=tuple(api.DynamicsCollapse(f"a({name})", "0.1") for name in names) if damped else (),
        observables=tuple(f"Z({name})" for name in names),
        times=api.DynamicsGrid(stop=draw.uniform(2.0, 20.0), points=draw.randint(10, 100)),
    )
    return JobRequest(kind="dynamics.solve", work=work, seed=1)


def minimised(draw: random.Random) -> JobRequest:
    """The maximum cut of a ring with chords."""
    nodes = draw.randint(4, 12)
    edges = [Edge(n, (n + 1) % nodes) for n in range(nodes)]
    edges += [Edge(*draw.sample(range(nodes), 2)) for _ in range(draw.randint(0, nodes))]
    unique = {(min(edge.a, edge.b), max(edge.a, edge.b)): edge for edge in edges}
    work = api.VariationalRequest(
        cost=CutCost(edges=tuple(unique.values())),
        ansatz=QaoaAnsatz(layers=draw.randint(1, 3)),
        starts=1,
        evaluations=draw.randint(40, 200),
    )
    return JobRequest(kind="variational.minimise", work=work, seed=1)


def estimated(draw: random.Random) -> JobRequest:
    """A probability of a small entangled state."""
    qubits = draw.randint(1, 6)
    gates = "".join(f"ry({draw.uniform(0.2, 2.5):.4f}) q[{n}];\n" for n in range(qubits))
    gates += "".join(f"cx q[{n}], q[{n + 1}];\n" for n in range(qubits - 1))
    program = f'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[{qubits}] q;\n{gates}'
    problem = api.AmplitudeProblem(program=program, objective=(0,))
    work = api.AmplitudeRequest(problems=(problem,), epsilon=draw.choice((0.05, 0.02, 0.01, 0.005)))
    return JobRequest(kind="amplitude.estimate", work=work, seed=1)


def compared(draw: random.Random) -> JobRequest:
    """Fidelities of points in a ZZ feature map."""
    features = draw.randint(2, 10)
    points = tuple(
        tuple(round(draw.uniform(0.0, 3.0), 4) for _ in range(features)) for _ in range(draw.randint(5, 60))
    )
    return JobRequest(
        kind="kernel.matrix",
        work=api.KernelRequest(points=points, feature_map=api.ZZFeatureMap()),
        seed=1,
    )

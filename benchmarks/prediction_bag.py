"""Two hundred jobs of one task each, as mixed as people's: kinds, widths, depths, shots, points, methods.

Drawn from a seed, none of them like the small programs that a device measures itself with.
"""

import random
from collections.abc import Callable

from benchmarks import prediction_kinds as kinds

from qfleet import JobRequest

JOBS = 200
_MOST_AMPLITUDES = 2**20


def bag(seed: int, jobs: int = JOBS) -> list[tuple[str, JobRequest]]:
    """Jobs with the name of their family."""
    draw = random.Random(seed)
    weights = [weight for _, _, weight in _FAMILIES]
    return [(name, make(draw)) for name, make, _ in draw.choices(_FAMILIES, weights, k=jobs)]


def _sampled(draw: random.Random) -> JobRequest:
    qubits = draw.randint(2, 20)
    text = _header(qubits) + _random_gates(draw, qubits, _depth(draw, qubits)) + "c = measure q;\n"
    return JobRequest(kind="circuit.sample", program=text, shots=_shots(draw), seed=1)


def _fourier(draw: random.Random) -> JobRequest:
    qubits = draw.randint(4, 18)
    lines = [f"x q[{draw.randrange(qubits)}];"]
    for target in reversed(range(qubits)):
        lines.append(f"h q[{target}];")
        lines += [f"cp({3.14159 / 2 ** (target - by)}) q[{by}], q[{target}];" for by in range(target)]
    text = _header(qubits) + "\n".join(lines) + "\nc = measure q;\n"
    return JobRequest(kind="circuit.sample", program=text, shots=_shots(draw), seed=1)


def _expected(draw: random.Random) -> JobRequest:
    qubits = draw.randint(2, 19)
    text = _header(qubits) + _random_gates(draw, qubits, _depth(draw, qubits))
    return JobRequest(kind="circuit.expect", program=text, observables=_observables(draw, qubits), seed=1)


def _swept(draw: random.Random) -> JobRequest:
    qubits, points = draw.randint(2, 14), draw.randint(2, 12)
    layers = [
        "\n".join(
            [
                *(f"ry(a) q[{n}];" for n in range(qubits)),
                *(f"cx q[{n}], q[{n + 1}];" for n in range(qubits - 1)),
            ]
        )
        for _ in range(draw.randint(1, 4))
    ]
    text = (
        'OPENQASM 3.0;\ninclude "stdgates.inc";\ninput angle a;\n'
        f"qubit[{qubits}] q;\n" + "\n".join(layers) + "\n"
    )
    values = tuple({"a": draw.uniform(0.0, 3.0)} for _ in range(points))
    return JobRequest(
        kind="circuit.expect", program=text, parameters=values, observables=_observables(draw, qubits), seed=1
    )


def _dynamic(draw: random.Random) -> JobRequest:
    """Measurements in mid-course whose outcomes steer what follows."""
    qubits = draw.randint(2, 12)
    lines = [_random_gates(draw, qubits, draw.randint(1, 3))]
    for _ in range(draw.randint(1, 4)):
        measured, steered = draw.sample(range(qubits), 2)
        lines.append(f"c[{measured}] = measure q[{measured}];\nif (c[{measured}]) {{ x q[{steered}]; }}\n")
        lines.append(_random_gates(draw, qubits, 1))
    text = _header(qubits) + "".join(lines) + "c = measure q;\n"
    return JobRequest(kind="circuit.sample", program=text, shots=draw.choice((100, 500, 1024)), seed=1)


def _reset(draw: random.Random) -> JobRequest:
    """One qubit used again and again: as many outcomes as shots."""
    rounds = draw.randint(3, 12)
    step = "ry({angle:.3f}) q[0]; cx q[0], q[1]; c[{n}] = measure q[1]; reset q[1];\n"
    lines = [step.format(angle=draw.uniform(0.5, 2.5), n=n) for n in range(rounds)]
    text = f'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[{rounds}] c;\n' + "".join(lines)
    return JobRequest(kind="circuit.sample", program=text, shots=draw.choice((200, 1000)), seed=1)


def _header(qubits: int) -> str:
    return f'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[{qubits}] q;\nbit[{qubits}] c;\n'


def _random_gates(draw: random.Random, qubits: int, depth: int) -> str:
    lines: list[str] = []
    for _ in range(depth):
        for qubit in range(qubits):
            name = draw.choice(("h", "t", "rx", "rz", "ry", "sx"))
            angle = f"({draw.uniform(0.1, 3.0):.4f})" if name in ("rx", "ry", "rz") else ""
            lines.append(f"{name}{angle} q[{qubit}];")
        order = draw.sample(range(qubits), qubits)
        lines += [
            f"{draw.choice(('cx', 'cz'))} q[{a}], q[{b}];"
            for a, b in zip(order[::2], order[1::2], strict=False)
        ]
    return "\n".join(lines) + "\n"


def _observables(draw: random.Random, qubits: int) -> tuple[str, ...]:
    return tuple(
        " ".join(
            f"{draw.choice('XYZ')}{qubit}"
            for qubit in draw.sample(range(qubits), draw.randint(1, min(3, qubits)))
        )
        for _ in range(draw.randint(1, 8))
    )


def _depth(draw: random.Random, qubits: int) -> int:
    return draw.randint(1, max(2, min(20, 200 // qubits)))


def _shots(draw: random.Random) -> int:
    return int(10 ** draw.uniform(0.0, 4.7))


_CIRCUITS: tuple[tuple[str, Callable[[random.Random], JobRequest], int], ...] = (
    ("random circuit, sampled", _sampled, 6),
    ("Fourier transform", _fourier, 2),
    ("expectation values", _expected, 5),
    ("parameter sweep", _swept, 3),
    ("steered by outcomes", _dynamic, 3),
    ("qubit reused", _reset, 1),
)
_FAMILIES = (
    *_CIRCUITS,
    ("annealing", kinds.annealed, 2),
    ("open and closed systems", kinds.solved, 2),
    ("QAOA, minimised", kinds.minimised, 2),
    ("amplitude estimation", kinds.estimated, 2),
    ("kernel matrix", kinds.compared, 2),
)
CIRCUITS = frozenset(name for name, _, _ in _CIRCUITS)
NAMES = tuple(name for name, _, _ in _FAMILIES)

"""Probes of amplitude estimation: a state whose good outcomes are as probable as the control plane says.

With a = sin²θ known, a round at the power k is a binomial draw with the chance sin²((2k + 1)θ), whatever
led to that power; so each round is judged by itself.
"""

import math

from qfleet_controlplane.planning import agreement
from qfleet_controlplane.planning.probes import drafts, states, works
from qfleet_controlplane.planning.probes.faults import Fault, hits_differ
from qfleet_controlplane.planning.probes.states import Stream
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, codec, workload

GATES = 12
LEAST = 1e-3
"""Amplitudes nearer to 0 or 1 are not asked for: their angles are lost in rounding."""
MOST_ROUNDS = 256
"""Rounds that the level of a fault is shared among."""
_COUNTING = 1e-6
"""Chances are known to that much at high powers; nearer to 0 or 1 nothing is called impossible."""


def make(parent: Specification, secret: bytes) -> Specification:
    """One problem of at most four qubits, with the parent's accuracy."""
    base = codec.decode(parent.problem, workload.AmplitudeEstimate)
    qubits = _qubits(secret, parent.qubits)
    drawn, chosen, good = _problem(secret, qubits)
    lines = ['OPENQASM 3.0; include "stdgates.inc";', f"qubit[{qubits}] q;"]
    lines += [_spelled(step) for step in drawn.steps]
    problem = api.AmplitudeProblem(program="\n".join(lines), objective=chosen, good=(good,))
    work = api.AmplitudeRequest(
        problems=(problem,),
        epsilon=base.epsilon,
        alpha=base.alpha,
        round_shots=base.round_shots,
        confidence=base.confidence,
    )
    return works.of(api.JobRequest(kind="amplitude.estimate", work=work), secret)


def fault(probe: Specification, result: workload.WorkResult) -> Fault | None:
    """Judge the hits of every round."""
    if not isinstance(result, workload.AmplitudeResult):
        return Fault(f"a {type(result).__name__} answers no estimate", exact=True)
    drawn, chosen, good = _problem(probe.secret, probe.qubits)
    angle = math.asin(math.sqrt(_chance(drawn, chosen, good)))
    (value,) = result.items
    for number, one in enumerate(value.rounds[:MOST_ROUNDS]):
        chance = math.sin((2 * one.power + 1) * angle) ** 2
        chance = min(max(chance, _COUNTING), 1.0 - _COUNTING)
        difference = hits_differ(one.hits, one.shots, chance, agreement.LEVEL / MOST_ROUNDS)
        if difference is not None:
            return Fault(f"round {number} at the power {one.power} has {difference}", exact=False)
    return None


def _qubits(secret: bytes, parents: int) -> int:
    most = max(1, min(drafts.GROUP, parents))
    return 1 + Stream(secret + b"width").integer(most)


def _problem(secret: bytes, qubits: int) -> tuple[drafts.Draft, tuple[int, ...], str]:
    """A program on one group, objective qubits, and a good outcome that is neither rare nor certain."""
    for attempt in range(64):
        drawn = drafts.draft(secret + bytes([attempt]), qubits, GATES)
        stream = Stream(secret + b"good" + bytes([attempt]))
        chosen = tuple(stream.shuffled(qubits)[: 1 + stream.integer(qubits)])
        good = "".join("01"[stream.integer(2)] for _ in chosen)
        if LEAST < _chance(drawn, chosen, good) < 1.0 - LEAST:
            break
    return drawn, chosen, good


def _chance(drawn: drafts.Draft, chosen: tuple[int, ...], good: str) -> float:
    """Probability of the good outcome; its first objective is rightmost."""
    (group,), (state,) = drawn.groups, drawn.states
    wanted = {group.index(qubit): int(bit) for qubit, bit in zip(chosen, reversed(good), strict=True)}
    return math.fsum(
        probability
        for index, probability in enumerate(states.probabilities(state))
        if all(index >> place & 1 == bit for place, bit in wanted.items())
    )


def _spelled(step: drafts.Step) -> str:
    """A gate as text."""
    angle = f"({step.angle!r})" if step.name in drafts.TURNING else ""
    if step.control is None:
        return f"{step.name}{angle} q[{step.qubit}];"
    return f"ctrl @ {step.name}{angle} q[{step.control}], q[{step.qubit}];"

"""Probes of amplitudes: a basis state, sent backwards through the network, is one of each group.

Its amplitude is the product of theirs. A device is asked for the whole program, as one part with one path.
"""

import math

from qfleet_controlplane.planning import agreement
from qfleet_controlplane.planning.cuts import choice, gathering
from qfleet_controlplane.planning.probes import drafts
from qfleet_controlplane.planning.probes.faults import Fault
from qfleet_controlplane.planning.probes.states import Stream
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import circuit, codec, program_load, workload

MOST_GATES = 400
STRINGS = 8


def make(parent: Specification, secret: bytes) -> Specification:
    """A program of the width of the widest part, and about of the parent's length."""
    qubits = max(1, parent.qubits)
    gates = min(MOST_GATES, max(4, parent.gates - 2 * qubits))
    program = circuit.Program(qubits, (), (), tuple(drafts.body(drafts.draft(secret, qubits, gates))))
    whole = Specification(
        kind=parent.kind,
        seed=Stream(secret).integer(1 << 48),
        items=1,
        points=((),),
        program=codec.encode(program),
        qubits=qubits,
        gates=gates,
        load=program_load.of_program(program),
        bitstrings=_strings(secret, qubits),
        secret=secret,
        probe=True,
    )
    return choice.fitted(whole, program, ())


def fault(probe: Specification, result: workload.WorkResult) -> Fault | None:
    """Compare every amplitude."""
    if not isinstance(result, workload.PartResult) or probe.cut is None:
        return Fault(f"a {type(result).__name__} answers no amplitudes", exact=True)
    drawn = drafts.draft(probe.secret, probe.qubits, probe.gates)
    (point,) = gathering.gathered(probe.cut, [result]).values()
    for string, told in zip(probe.bitstrings, gathering.amplitudes(probe.cut, point), strict=True):
        before = drafts.before(drawn, string)
        right = math.prod(
            (
                state[drafts.restricted(before, group)]
                for group, state in zip(drawn.groups, drawn.states, strict=True)
            ),
            start=1 + 0j,
        )
        if abs(told - right) > agreement.TOLERANCE:
            return Fault(
                f"the amplitude of {string:0{probe.qubits}b} is {told} instead of {right}", exact=True
            )
    return None


def _strings(secret: bytes, qubits: int) -> tuple[int, ...]:
    stream = Stream(secret + b"strings")
    return tuple(dict.fromkeys(stream.integer(1 << qubits) for _ in range(STRINGS)))

"""``circuit.expect``: expectation values of observables.

A static program is evaluated exactly, in the state before its final measurements. A dynamic one
gives, for each shot, the exact expectation in the final state of its trajectory, again before the final
measurements; a block's sums and sums of squares over its shots are rounded once (``math.fsum``).
"""

import math

import numpy as np

from qfleet_agent.engines.errors import WorkInvalid
from qfleet_agent.engines.evolution import Dynamic, Plan
from qfleet_agent.engines.finals import blocks_of, check_parameters
from qfleet_agent.engines.paulis import Observables
from qfleet_agent.engines.sampling import Report
from qfleet_wire import workload


def expect(work: workload.CircuitExpect, *, budget: int, report: Report) -> workload.ExpectResult:
    """Evaluate all items; ``budget`` in bytes, ``report`` is told the share that is done."""
    plan = Plan(work.program, points=len(work.items), budget=budget)
    observables = Observables(work.observables, work.program.qubits)
    done = []
    for number, item in enumerate(work.items):
        check_parameters(work.program, item.parameters)

        def share(part: float, number: int = number) -> None:
            report((number + part) / len(work.items))

        if plan.static is not None:
            values = observables.values(plan.static.state(item.parameters))
            moments: tuple[workload.Moments, ...] = (workload.Moments(item.first_block, 0, values),)
        else:
            moments = averaged(work, item, plan.dynamic(item.parameters), observables, share)
        done.append(workload.ExpectValues(item.index, moments))
        share(1.0)
    return workload.ExpectResult(tuple(done))


def averaged(
    work: workload.CircuitExpect,
    item: workload.ExpectItem,
    dynamic: Dynamic,
    observables: Observables,
    report: Report,
) -> tuple[workload.Moments, ...]:
    """Sum the observables over each block's shots, each in the final state of its trajectory."""
    if item.shots < 1:
        raise WorkInvalid(f"item {item.index} has {item.shots} shots; a program with measurements needs some")
    moments = []
    for block, shots, seed in blocks_of(item, work.seed):
        values = np.empty((len(work.observables), shots))
        for machine, _ in dynamic.histories(seed, shots):
            values[:, machine.shots] = np.array(observables.values(machine.state))[:, None]
        moments.append(
            workload.Moments(
                block,
                shots,
                tuple(map(math.fsum, values.tolist())),
                tuple(map(math.fsum, (values * values).tolist())),
            )
        )
        report(len(moments) * workload.SHOTS_PER_BLOCK / max(item.shots, workload.SHOTS_PER_BLOCK))
    return tuple(moments)

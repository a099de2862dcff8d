"""The filled-in example of ``dynamics.solve``."""

from qfleet_wire import workload
from qfleet_wire.workload import dynamics, formula

WORK = workload.DynamicsSolve(
    dynamics.System(
        subsystems=(
            dynamics.Subsystem("qubit", 2),
            dynamics.Subsystem("mode", 8),
            dynamics.Subsystem("spin", 3),
        ),
        initial=(
            dynamics.Preparation("+i"),
            dynamics.Preparation("coherent", 0, formula.Number(0.5, -0.25)),
            dynamics.Preparation("level", 2),
        ),
        hamiltonian=(
            dynamics.Term(
                (dynamics.Product(0.5, 0.0, (dynamics.Factor(0, "X"), dynamics.Factor(1, "P", 3))),),
                formula.Combination("*", formula.Parameter(0), formula.Call("cos", formula.Time())),
            ),
        ),
        jumps=(dynamics.Term((dynamics.Product(1.0, 0.0, (dynamics.Factor(1, "a"),)),)),),
        observables=(dynamics.Measured("Jz(s)", (dynamics.Product(1.0, 0.0, (dynamics.Factor(2, "Jz"),)),)),),
        times=(0.0, 0.5, 1.0),
        method="mcsolve",
        parameters=("omega",),
        max_step=0.125,
    ),
    45,
    (workload.ExpectItem(2, (0.25,), 1, 40),),
)

RESULT = workload.DynamicsResult(
    (workload.ExpectValues(2, (workload.Moments(1, 32, (-32.0, -20.5, 1.0), (32.0, 16.25, 0.5)),)),)
)

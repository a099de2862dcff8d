"""Options of commands that sample models of bits."""

from dataclasses import replace
from typing import Annotated

import typer

from qfleet_applications.errors import InvalidProblem
from qfleet_applications.qubo.sampling import METHODS, Effort

MethodName = Annotated[str, typer.Option("--method", help=f"One of {', '.join(METHODS)}.")]
Reads = Annotated[int | None, typer.Option(min=1, max=100_000, help="Runs of the annealer for each model.")]
Sweeps = Annotated[int | None, typer.Option(min=1, max=1_000_000, help="Passes over all bits in a run.")]
Layers = Annotated[int | None, typer.Option(min=1, max=20, help="Layers of QAOA.")]


def effort(
    usual: Effort, method: str, *, reads: int | None, sweeps: int | None, layers: int | None
) -> Effort:
    """What a command asks for, over what is usual for its problem.

    Raises:
        InvalidProblem: there is no such method.
    """
    name = next((one for one in METHODS if one == method), None)
    if name is None:
        raise InvalidProblem(f"no method {method!r}", hint=f"there are {', '.join(METHODS)}")
    return replace(
        usual,
        method=name,
        reads=usual.reads if reads is None else reads,
        sweeps=usual.sweeps if sweeps is None else sweeps,
        layers=usual.layers if layers is None else layers,
    )

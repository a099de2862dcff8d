"""``qfleet app cities``: traffic, charging, grid, sensors."""

from pathlib import Path
from typing import Annotated

import typer

from qfleet_applications.frame.carrying import carry_out
from qfleet_applications.frame.options import DataFile, Json, Output, Plan, Seed
from qfleet_applications.qubo.options import Layers, MethodName, Reads, Sweeps, effort

application = typer.Typer(
    name="cities",
    help="Traffic, chargers, power plants and sensors; beside CP-SAT, HiGHS and tabu search.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Table = Annotated[Path | None, typer.Option(metavar="FILE", help="The table that belongs to your FILE.")]


@application.command()
def traffic(  # noqa: PLR0913 - options of a command
    file: DataFile = None,
    *,
    demand: Table = None,
    platoon: Annotated[float, typer.Option(min=1e-6, help="Vehicles that choose together.")] = 100.0,
    choices: Annotated[int, typer.Option(min=2, max=20, help="Ways for each pair.")] = 5,
    method: MethodName = "simulated",
    reads: Reads = None,
    sweeps: Sweeps = None,
    layers: Layers = None,
    seed: Seed = 0,
    plan: Plan = False,
    json: Json = False,
    output: Output = None,
) -> None:
    """Share roads (from, to, capacity, time) among a demand (from, to, demand)."""
    from qfleet_applications.cities import files, problem, traffic  # noqa: PLC0415 - slow

    asked = effort(traffic.EFFORT, method, reads=reads, sweeps=sweeps, layers=layers)
    roads, table = files.traffic(file, demand)
    study = problem.ProblemStudy(traffic.Traffic(roads, table, platoon, choices), asked, seed)
    carry_out(study, plan=plan, json=json, output=output)


@application.command()
def charging(  # noqa: PLR0913 - options of a command
    file: DataFile = None,
    *,
    demand: Table = None,
    chargers: Annotated[int, typer.Option(min=1, help="How many chargers there will be.")] = 4,
    method: MethodName = "simulated",
    reads: Reads = None,
    sweeps: Sweeps = None,
    layers: Layers = None,
    seed: Seed = 0,
    plan: Plan = False,
    json: Json = False,
    output: Output = None,
) -> None:
    """Place chargers on roads (from, to, capacity, time) for a demand (place, or from and to, and demand)."""
    from qfleet_applications.cities import charging, files, problem  # noqa: PLC0415 - slow

    asked = effort(charging.EFFORT, method, reads=reads, sweeps=sweeps, layers=layers)
    roads, wanted = files.charging(file, demand)
    study = problem.ProblemStudy(charging.Charging(roads, wanted, chargers), asked, seed)
    carry_out(study, plan=plan, json=json, output=output)


@application.command()
def grid(  # noqa: PLR0913 - options of a command
    file: DataFile = None,
    *,
    load: Table = None,
    choices: Annotated[int, typer.Option(min=2, max=64, help="Sets of units an hour in the model.")] = 10,
    method: MethodName = "simulated",
    reads: Reads = None,
    sweeps: Sweeps = None,
    layers: Layers = None,
    seed: Seed = 0,
    plan: Plan = False,
    json: Json = False,
    output: Output = None,
) -> None:
    """Commit units (unit, minimum, maximum, fixed, linear, quadratic, startup) to a load (hour, load)."""
    from qfleet_applications.cities import files, grid, problem  # noqa: PLC0415 - slow

    asked = effort(grid.EFFORT, method, reads=reads, sweeps=sweeps, layers=layers)
    study = problem.ProblemStudy(files.grid(file, load, choices), asked, seed)
    carry_out(study, plan=plan, json=json, output=output)


@application.command()
def sensors(  # noqa: PLR0913 - options of a command
    file: DataFile = None,
    *,
    costs: Table = None,
    method: MethodName = "simulated",
    reads: Reads = None,
    sweeps: Sweeps = None,
    layers: Layers = None,
    seed: Seed = 0,
    plan: Plan = False,
    json: Json = False,
    output: Output = None,
) -> None:
    """Watch every street of roads (from, to, capacity, time) at least cost (place, cost)."""
    from qfleet_applications.cities import files, problem, sensors  # noqa: PLC0415 - slow

    asked = effort(sensors.EFFORT, method, reads=reads, sweeps=sweeps, layers=layers)
    roads = files.roads(file, "sioux_falls")
    each = files.by_place(costs, roads, "cost", (1.0,) * len(roads.nodes))
    study = problem.ProblemStudy(sensors.Sensors(roads, each), asked, seed)
    carry_out(study, plan=plan, json=json, output=output)

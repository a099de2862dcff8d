"""``qfleet app manufacturing``: schedule, route, maintain."""

from pathlib import Path
from typing import Annotated

import typer

from qfleet_applications.frame.carrying import carry_out
from qfleet_applications.frame.options import DataFile, Json, Output, Plan, Seed
from qfleet_applications.qubo.options import Layers, MethodName, Reads, Sweeps, effort

application = typer.Typer(
    name="manufacturing",
    help="Job shop schedules, paths of pickers and drills, maintenance windows; beside OR-Tools CP-SAT.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Rounds = Annotated[int | None, typer.Option(min=0, help="Rounds of parts after the first models.")]
Whole = Annotated[
    bool, typer.Option("--whole", help="All in one model, without parts; else refuse, and name its qubits.")
]
Unit = Annotated[str, typer.Option(help="The unit of your file's numbers.")]


@application.command()
def schedule(  # noqa: PLR0913 - options of a command
    file: DataFile = None,
    *,
    unit: Unit = "min",
    method: MethodName = "simulated",
    reads: Reads = None,
    sweeps: Sweeps = None,
    layers: Layers = None,
    rounds: Rounds = None,
    whole: Whole = False,
    seed: Seed = 0,
    plan: Plan = False,
    json: Json = False,
    output: Output = None,
) -> None:
    """Shorten a job shop's schedule (columns job, step, machine, duration; or ft06, la01)."""
    from qfleet_applications.manufacturing import files, schedule, scheduling  # noqa: PLC0415 - slow

    asked = effort(schedule.EFFORT, method, reads=reads, sweeps=sweeps, layers=layers)
    search = scheduling.Search(
        asked, seed=seed, rounds=scheduling.ROUNDS if rounds is None else rounds, whole=whole
    )
    carry_out(schedule.ScheduleStudy(files.shop(file, unit), search), plan=plan, json=json, output=output)


@application.command()
def route(  # noqa: PLR0913 - options of a command
    file: DataFile = None,
    *,
    first: Annotated[int | None, typer.Option(min=3, help="Take only the first places of the file.")] = None,
    unit: Unit = "mm",
    method: MethodName = "simulated",
    reads: Reads = None,
    sweeps: Sweeps = None,
    layers: Layers = None,
    rounds: Rounds = None,
    whole: Whole = False,
    seed: Seed = 0,
    plan: Plan = False,
    json: Json = False,
    output: Output = None,
) -> None:
    """Shorten a closed path (columns place, x, y; or from, to, distance; or burma14, gr17)."""
    from qfleet_applications.manufacturing import files, route, touring  # noqa: PLC0415 - slow

    asked = effort(route.EFFORT, method, reads=reads, sweeps=sweeps, layers=layers)
    places = files.places(file, unit)
    walk = touring.Walk(asked, seed=seed, rounds=touring.ROUNDS if rounds is None else rounds, whole=whole)
    study = route.RouteStudy(places.first(first) if first else places, walk)
    carry_out(study, plan=plan, json=json, output=output)


@application.command()
def maintain(  # noqa: PLR0913 - options of a command
    file: DataFile = None,
    *,
    load: Annotated[Path | None, typer.Option(metavar="FILE", help="Load by period: period, load.")] = None,
    unit: Unit = "MW",
    method: MethodName = "simulated",
    reads: Reads = None,
    sweeps: Sweeps = None,
    layers: Layers = None,
    rounds: Rounds = None,
    whole: Whole = False,
    seed: Seed = 0,
    plan: Plan = False,
    json: Json = False,
    output: Output = None,
) -> None:
    """Level the reserve over maintenance windows (columns machine, capacity, periods, earliest, latest)."""
    from qfleet_applications.manufacturing import files, maintain, planning  # noqa: PLC0415 - slow

    asked = effort(maintain.EFFORT, method, reads=reads, sweeps=sweeps, layers=layers)
    turns = planning.Rounds(
        asked, seed=seed, rounds=planning.ROUNDS if rounds is None else rounds, whole=whole
    )
    carry_out(
        maintain.MaintainStudy(files.plant(file, load, unit), turns), plan=plan, json=json, output=output
    )

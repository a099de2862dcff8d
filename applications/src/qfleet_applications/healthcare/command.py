"""``qfleet app healthcare``: screen, features, survival-risk, join."""

import secrets
from pathlib import Path
from typing import Annotated

import typer

from qfleet_applications.frame.carrying import carry_out
from qfleet_applications.frame.options import DataFile, Json, Output, Plan, Seed
from qfleet_applications.healthcare import joining_command
from qfleet_applications.qubo.options import Layers, MethodName, Reads, Sweeps, effort

application = typer.Typer(
    name="healthcare",
    help="Classifiers with quantum kernels, feature selection, survival risk. No medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
application.add_typer(joining_command.application, name="join")
Components = Annotated[int, typer.Option(min=1, max=64, help="Principal components, a qubit for each.")]
Rows = Annotated[int | None, typer.Option(min=1, help="Take so many rows, drawn with the seed.")]
Label = Annotated[str, typer.Option(metavar="COLUMN", help="The column of 0 and 1 of your FILE.")]
Event = Annotated[str, typer.Option(metavar="COLUMN", help="1 where an event ended a time, else 0.")]
Time = Annotated[str, typer.Option(metavar="COLUMN", help="The column of times [day].")]
Features = Annotated[
    str, typer.Option(metavar="COLUMNS", help="Columns of features, with commas; all others if not given.")
]
Placed = Annotated[
    str | None,
    typer.Option(help="data-local (usual for your FILE: nothing of it leaves this machine) or fleet."),
]
Key = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The key of the pseudonyms, made where missing; else a new one."),
]


@application.command()
def screen(  # noqa: PLR0913 - options of a command
    file: DataFile = None,
    *,
    components: Components = 2,
    label: Label = "label",
    features: Features = "",
    rows: Rows = None,
    placement: Placed = None,
    patients: Annotated[int, typer.Option(min=0, max=100, help="Patients to explain.")] = 5,
    key: Key = None,
    seed: Seed = 0,
    plan: Plan = False,
    json: Json = False,
    output: Output = None,
) -> None:
    """Classify patients (a column of 0 and 1, others of numbers) with quantum kernels, beside an RBF-SVM."""
    from qfleet_applications.healthcare import cohorts, screening, wording  # noqa: PLC0415 - slow

    names = _key(key)
    cohort = (
        cohorts.breast_cancer(names)
        if file is None
        else cohorts.load(file, (label, ""), _columns(features), names)
    )
    cohort = cohort if rows is None else cohort.part(rows, seed)
    where = wording.placement(placement, own=file is not None)
    study = screening.ScreenStudy(cohort, components, where, patients, seed)
    carry_out(study, plan=plan, json=json, output=output)


@application.command()
def features(  # noqa: PLR0913 - options of a command
    file: DataFile = None,
    *,
    number: Annotated[int, typer.Option(min=1, max=1000, help="Features to choose.")] = 5,
    label: Label = "label",
    columns: Features = "",
    method: MethodName = "tabu",
    reads: Reads = None,
    sweeps: Sweeps = None,
    layers: Layers = None,
    placement: Placed = None,
    seed: Seed = 0,
    plan: Plan = False,
    json: Json = False,
    output: Output = None,
) -> None:
    """Choose features that tell much of the label and little of each other; a classical sampler as usual."""
    from qfleet_applications.healthcare import cohorts, features, wording  # noqa: PLC0415 - slow

    names = _key(None)
    cohort = (
        cohorts.breast_cancer(names)
        if file is None
        else cohorts.load(file, (label, ""), _columns(columns), names)
    )
    asked = effort(features.EFFORT, method, reads=reads, sweeps=sweeps, layers=layers)
    where = wording.placement(placement, own=file is not None)
    study = features.FeatureStudy(cohort, number, asked, seed, where)
    carry_out(study, plan=plan, json=json, output=output)


@application.command(name="survival-risk")
def survival_risk(  # noqa: PLR0913 - options of a command
    file: DataFile = None,
    *,
    components: Components = 3,
    label: Event = "event",
    time: Time = "time",
    features: Features = "",
    rows: Rows = None,
    placement: Placed = None,
    key: Key = None,
    seed: Seed = 0,
    plan: Plan = False,
    json: Json = False,
    output: Output = None,
) -> None:
    """Order patients by risk with a quantum kernel, beside Cox's model, by concordance."""
    from qfleet_applications.healthcare import cohorts, survival_study, wording  # noqa: PLC0415 - slow

    names = _key(key)
    cohort = (
        cohorts.breast_cancer_survival(names)
        if file is None
        else cohorts.load(file, (label, time), _columns(features), names)
    )
    cohort = cohort if rows is None else cohort.part(rows, seed)
    where = wording.placement(placement, own=file is not None)
    study = survival_study.SurvivalStudy(cohort, components, where, seed)
    carry_out(study, plan=plan, json=json, output=output)


def _columns(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _key(file: Path | None) -> bytes:
    from qfleet_applications.healthcare import pseudonyms  # noqa: PLC0415 - slow

    fresh = secrets.token_bytes(pseudonyms.KEY_BYTES)
    return fresh if file is None else pseudonyms.kept(file, fresh)

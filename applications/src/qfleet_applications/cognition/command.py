"""``qfleet app cognition``: order effects, the disjunction effect, and integrated information."""

import difflib
from pathlib import Path
from typing import Annotated

import typer

from qfleet.command import outcome
from qfleet.errors import UserError
from qfleet_applications.frame import options
from qfleet_applications.frame.carrying import carry_out

_OFFERED = 6
DATA = Path(__file__).with_name("data")
application = typer.Typer(
    name="cognition",
    help="Published theories of judgement and of integrated information, and no claim beyond.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@application.command("order-effects")
@outcome.reported
def order_effects(  # noqa: PLR0913 - the options of a command are its parameters
    file: options.DataFile = None,
    *,
    survey: Annotated[str, typer.Option(help="Which survey of the file; the first if not given.")] = "",
    every: Annotated[
        bool, typer.Option("--all", help="Every survey of the file, and what they say together.")
    ] = False,
    seed: options.Seed = 0,
    plan: options.Plan = False,
    json: options.Json = False,
    output: options.Output = None,
) -> None:
    """Fit the quantum question model to answers in both orders, beside Bayesian and Markov models.

    FILE is a CSV with the columns survey, first, second and the counts ab_yy, ab_yn, ab_ny, ab_nn (first
    asked first) and ba_yy, ba_yn, ba_ny, ba_nn (second asked first; yes to it goes first).
    """
    from qfleet_applications.cognition import order_study, order_surveys, orders  # noqa: PLC0415 - SciPy takes long to import
    from qfleet_applications.frame.study import Study  # noqa: PLC0415 - as above

    chosen = file or DATA / "orders.csv"
    surveys = orders.load(chosen)
    named = {one.name: one for one in surveys}
    if survey and every:
        raise UserError("--survey and --all exclude each other", hint="leave one of them out")
    if survey and survey not in named:
        raise UserError(f"{str(chosen)!r} has no survey {survey!r}", hint=_offered(survey, tuple(named)))
    study: Study = order_study.OrderStudy(named[survey] if survey else surveys[0], seed, chosen.name)
    if every:
        study = order_surveys.SurveysStudy(surveys, seed, chosen.name)
    carry_out(study, plan=plan, json=json, output=output)


def _offered(asked: str, names: tuple[str, ...]) -> str:
    """The nearest names, or the first few of many."""
    near = difflib.get_close_matches(asked, names, n=_OFFERED)
    shown = near or names[:_OFFERED]
    more = f", and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return f"it has {', '.join(shown)}{more}"


@application.command("disjunction")
@outcome.reported
def disjunction(
    file: options.DataFile = None,
    *,
    plan: options.Plan = False,
    json: options.Json = False,
    output: options.Output = None,
) -> None:
    """Test the law of total probability, and fit interference beside a mixture.

    FILE is a CSV with the columns experiment, and for each of known_1, known_2 and unknown how many people
    there were (n_…) and how many acted (yes_…).
    """
    from qfleet_applications.cognition import disjunction_study, disjunctions  # noqa: PLC0415 - as above

    chosen = file or DATA / "disjunctions.csv"
    study = disjunction_study.DisjunctionStudy(disjunctions.load(chosen), chosen.name)
    carry_out(study, plan=plan, json=json, output=output)


@application.command("integrated-information")
@outcome.reported
def integrated_information(  # noqa: PLR0913 - as above
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The step as an OpenQASM program of gates.")
    ] = None,
    *,
    mechanism: Annotated[
        str, typer.Option(help="Without FILE: cnot (if not given), swap, toffoli or bell.")
    ] = "",
    state: Annotated[str, typer.Option(help="A letter of 01+-rl for each unit.")] = "",
    plan: options.Plan = False,
    json: options.Json = False,
    output: options.Output = None,
) -> None:
    """Compute the φ-structure of a quantum mechanism, beside classical integrated information."""
    from qfleet_applications.cognition import integrated_study, mechanisms  # noqa: PLC0415 - as above

    if file is not None and mechanism:
        raise UserError(
            "a program of your own and --mechanism exclude each other", hint="leave one of them out"
        )
    if file is None:
        name = mechanism or "cnot"
        chosen = mechanisms.gate(name)
        study = integrated_study.IntegratedStudy(name, chosen, state or chosen.state)
    else:
        study = integrated_study.IntegratedStudy(file.stem, mechanisms.of_file(file, state), state)
    carry_out(study, plan=plan, json=json, output=output)

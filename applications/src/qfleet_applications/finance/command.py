"""``qfleet app finance``: ``risk``, ``option`` and ``portfolio``."""

from typing import Annotated, Literal

import typer

from qfleet.command import outcome
from qfleet_applications.frame.options import DataFile, Json, Output, Plan, Seed

application = typer.Typer(
    name="finance",
    help="Risk and option prices by amplitude estimation, and portfolios, beside the best classical answer.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Epsilon = Annotated[float, typer.Option(help="Half an amplitude's interval, at most.")]
Confidence = Annotated[float, typer.Option(help="The chance that all intervals hold, at least.")]
Currency = Annotated[str, typer.Option(help="The unit of money in the file's headings.")]


@application.command()
@outcome.reported
def risk(  # noqa: PLR0913 - each is an option of the command
    file: DataFile = None,
    *,
    history: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE", help="Past prices instead of a book: sp500, nasdaq, wti or a file."
        ),
    ] = None,
    level: Annotated[float, typer.Option(help="The level of the value at risk.")] = 0.95,
    qubits: Annotated[
        int | None, typer.Option(help="Of the book's factor (2), or of the grid of past losses (5).")
    ] = None,
    reach: Annotated[float, typer.Option(help="Standard deviations of the book's factor.")] = 2.0,
    days: Annotated[int, typer.Option(help="Prices over which a past loss is taken.")] = 1,
    window: Annotated[int, typer.Option(help="Past losses that forecast the next in the backtest.")] = 250,
    epsilon: Epsilon = 0.002,
    confidence: Confidence = 0.95,
    currency: Currency = "EUR",
    seed: Seed = 0,
    plan: Plan = False,
    json: Json = False,
    output: Output = None,
) -> None:
    """Expected loss, value at risk and the mean beyond it, of a credit book or of past returns.

    A book is CSV with the columns loan, probability, sensitivity (0 to 1) and loss [EUR]; past prices have
    date and price.
    """
    from qfleet_applications.errors import InvalidProblem  # noqa: PLC0415 - see above
    from qfleet_applications.finance import risk as studies  # noqa: PLC0415
    from qfleet_applications.finance.assessment import Terms  # noqa: PLC0415
    from qfleet_applications.frame.carrying import carry_out  # noqa: PLC0415

    if history is not None and file is not None:
        raise InvalidProblem(f"a book {str(file)!r} and --history {history!r}: give one of them")
    terms = Terms(level, epsilon, confidence, seed, currency if history is None else "%")
    if history is None:
        study = studies.of_book(file, terms, factor_qubits=2 if qubits is None else qubits, reach=reach)
    else:
        study = studies.of_history(
            history, terms, qubits=5 if qubits is None else qubits, days=days, window=window
        )
    carry_out(study, plan=plan, json=json, output=output)


@application.command()
@outcome.reported
def option(  # noqa: PLR0913 - each is an option of the command
    file: DataFile = None,
    *,
    contract: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this contract; may be repeated.")
    ] = None,
    qubits: Annotated[int, typer.Option(help="Of the grid of each price.")] = 3,
    reach: Annotated[float, typer.Option(help="Standard deviations that the grid reaches to.")] = 3.0,
    scale: Annotated[float, typer.Option(help="The scale c of the linearised payoff.")] = 0.25,
    epsilon: Epsilon = 0.002,
    confidence: Confidence = 0.95,
    currency: Currency = "EUR",
    seed: Seed = 0,
    plan: Plan = False,
    json: Json = False,
    output: Output = None,
) -> None:
    """Prices of European calls, puts and bull spreads, on one asset or on a basket.

    The file is CSV with the columns contract, kind (call, put, spread), spot [EUR], volatility, strike
    [EUR], rate and days [d]; spreads have cap [EUR] too. Rows of one contract are the assets of a basket,
    with weight and correlation.
    """
    from qfleet_applications.finance import pricing  # noqa: PLC0415 - see above
    from qfleet_applications.frame.carrying import carry_out  # noqa: PLC0415

    terms = pricing.OptionTerms(qubits, reach, scale, epsilon, confidence, seed, currency)
    study = pricing.of_file(file, terms, only=tuple(contract or ()))
    carry_out(study, plan=plan, json=json, output=output)


@application.command()
@outcome.reported
def portfolio(  # noqa: PLR0913 - each is an option of the command
    file: DataFile = None,
    *,
    choose: Annotated[int, typer.Option(help="How many assets to hold, in equal parts.")] = 3,
    aversion: Annotated[float, typer.Option(help="What a unit of variance costs, in return.")] = 2.0,
    per_year: Annotated[float, typer.Option(help="Periods between prices in a year.")] = 12.0,
    method: Annotated[
        Literal["both", "qaoa", "anneal"], typer.Option(help="QAOA, annealing, or both.")
    ] = "both",
    layers: Annotated[int, typer.Option(help="Of QAOA.")] = 3,
    shots: Annotated[int, typer.Option(min=1, help="Drawn from QAOA's state.")] = 1024,
    reads: Annotated[int, typer.Option(min=1, help="Runs of annealing.")] = 100,
    sweeps: Annotated[int, typer.Option(min=1, help="Passes over all assets in a run of annealing.")] = 100,
    seed: Seed = 0,
    plan: Plan = False,
    json: Json = False,
    output: Output = None,
) -> None:
    """Choose some of many assets by mean and variance, with QAOA and annealing, beside a proven choice.

    The file is CSV with the columns date (2024-12-31), asset and price: a row for each asset and date.
    """
    from qfleet_applications.finance import portfolio as studies  # noqa: PLC0415 - see above
    from qfleet_applications.frame.carrying import carry_out  # noqa: PLC0415

    ways = studies.Ways(method, layers, shots, reads, sweeps, seed)
    study = studies.of_file(file, ways, choose=choose, aversion=aversion, per_year=per_year)
    carry_out(study, plan=plan, json=json, output=output)

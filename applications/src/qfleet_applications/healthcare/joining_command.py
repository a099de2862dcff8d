"""``qfleet app healthcare join``: one classifier over several sites, step by step, without any fleet.

Sites pass three kinds of files to each other themselves: landmarks, sums, and the classifier. How these
travel is theirs to decide; nothing here opens a connection.
"""

import secrets
from pathlib import Path
from typing import Annotated

import typer

from qfleet_applications.frame.carrying import carry_out_here
from qfleet_applications.frame.options import Json, Output, Seed
from qfleet_applications.frame.report import Report

application = typer.Typer(
    help="Train one classifier over several sites from sums over public landmarks; no row leaves its site.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
File = Annotated[Path, typer.Argument(metavar="FILE", help="A site's own rows: CSV.")]
Shared = Annotated[Path, typer.Option("--landmarks", metavar="FILE", help="The landmarks of all sites.")]
Written = Annotated[Path, typer.Option("--output", metavar="FILE", help="Where to write it.")]
Label = Annotated[str, typer.Option(metavar="COLUMN", help="The column of 0 and 1.")]


@application.command(name="try")
def attempt(
    *,
    sites: Annotated[int, typer.Option(min=2, max=7, help="Parts that stand for sites.")] = 3,
    seed: Seed = 0,
    json: Json = False,
    output: Output = None,
) -> None:
    """See on the bundled data, in one go, what joining gains and what it costs."""
    from qfleet_applications.healthcare import cohorts, joining_trial  # noqa: PLC0415 - slow

    cohort = cohorts.breast_cancer(secrets.token_bytes(32))
    carry_out_here(joining_trial.JoinTrial(cohort, sites, seed).conduct, json=json, output=output)


@application.command()
def points(
    ranges: Annotated[
        Path, typer.Argument(metavar="RANGES", help="CSV: feature, low, high; public knowledge.")
    ],
    *,
    number: Annotated[int, typer.Option(min=2, max=256, help="Landmarks to draw.")] = 12,
    components: Annotated[
        int | None, typer.Option(min=1, max=20, help="A qubit each; all features if not given.")
    ] = None,
    output: Written,
    seed: Seed = 0,
) -> None:
    """Draw landmarks, points that are no patients, from ranges that are public; pass them to all sites."""
    from qfleet_applications.healthcare import joining_files, landmarks  # noqa: PLC0415 - slow

    names, *bounds = landmarks.ranges(ranges)
    low, high = bounds
    drawn = landmarks.drawn((low, high), names, number, components or len(names), seed)
    joining_files.keep(output, drawn)
    typer.echo(f"{number} landmarks ({drawn.digest}) are in {output}.")


@application.command(name="sum")
def give(
    file: File,
    *,
    landmarks: Shared,
    label: Label = "label",
    output: Written,
) -> None:
    """Sum a site's rows over the landmarks, where they lie; pass on the sums alone."""
    from qfleet_applications.healthcare import joining_files as files  # noqa: PLC0415 - slow
    from qfleet_applications.healthcare import wording  # noqa: PLC0415 - slow
    from qfleet_applications.healthcare.site import SiteKernels  # noqa: PLC0415 - slow

    public = files.load_landmarks(landmarks)
    site = files.site_rows(file, public, label, secrets.token_bytes(32), labelled=True)
    assert site.labels is not None
    given = files.give(site.rows, site.labels, public, SiteKernels())
    files.keep(output, given)
    typer.echo(f"The sums over {len(site.rows)} rows are in {output}.\n{wording.JOINED_LEAKS}")


@application.command()
def fit(
    sums: Annotated[list[Path], typer.Argument(metavar="SUMS…", help="A file of sums from each site.")],
    *,
    landmarks: Shared,
    output: Written,
) -> None:
    """Train the classifier of all sites from their sums, anywhere; pass it to all sites."""
    from qfleet_applications.healthcare import joining_files as files  # noqa: PLC0415 - slow
    from qfleet_applications.healthcare.site import SiteKernels  # noqa: PLC0415 - slow

    public = files.load_landmarks(landmarks)
    found = files.join([files.load(one, files.Given) for one in sums], public, SiteKernels())
    files.keep(output, found)
    typer.echo(f"The classifier of {found.sites} sites and {found.rows} rows is in {output}.")


@application.command()
def tell(  # noqa: PLR0913 - options of a command
    file: File,
    *,
    landmarks: Shared,
    classifier: Annotated[Path, typer.Option(metavar="FILE", help="The classifier of all sites.")],
    label: Label = "label",
    json: Json = False,
    output: Output = None,
) -> None:
    """Classify a site's own rows, where they lie; judged where the label is known."""
    from qfleet_applications.healthcare import joining_files as files  # noqa: PLC0415 - slow
    from qfleet_applications.healthcare import joining_study  # noqa: PLC0415 - slow
    from qfleet_applications.healthcare.site import SiteKernels  # noqa: PLC0415 - slow

    public = files.load_landmarks(landmarks)
    joined = files.load(classifier, files.Classifier)
    site = files.site_rows(file, public, label, secrets.token_bytes(32), labelled=False)

    def conduct() -> Report:
        judged = joining_study.judge(joined, public, site.rows, SiteKernels())
        return joining_study.report_of(file, site, judged, joined)

    carry_out_here(conduct, json=json, output=output)

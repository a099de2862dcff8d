"""Options that several sub-commands have, and those that say how a job shall be run."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, for programs.")]
Top = Annotated[int, typer.Option("--top", min=1, help="Show so many outcomes of each histogram.")]
JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="Id of the job.")]
DeviceArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the device.")]

JobFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="An OpenQASM 2 or 3 program, or a whole job: its fields as .toml or .json."
    ),
]
Shots = Annotated[
    int | None,
    typer.Option(
        min=0, help="Shots per parameter point: 1024 if not given, none with --observable or --bitstring."
    ),
]
Observables = Annotated[
    list[str] | None,
    typer.Option("--observable", help="Pauli sum to evaluate, like '0.5*Z0 Z1 + X2' or 'ZZI'. Repeatable."),
]
Bitstrings = Annotated[
    list[str] | None,
    typer.Option(
        "--bitstring", help="Basis state whose amplitude is asked for, qubit 0 rightmost. Repeatable."
    ),
]
Gradient = Annotated[
    bool | None,
    typer.Option("--gradient", help="With --observable: its derivatives with respect to all inputs too."),
]
Points = Annotated[
    list[str] | None,
    typer.Option("--parameters", help="FILE.json, FILE.csv or 'theta=0:3.14:24'. Ranges are repeatable."),
]
Seed = Annotated[int | None, typer.Option(min=0, help="Same seed, same counts.")]
JobName = Annotated[
    str | None, typer.Option("--name", help="What to call the job; the file's name if not given.")
]
Residency = Annotated[
    list[str] | None,
    typer.Option(help="Run only in regions that carry this tag, like 'EU'. Repeatable: any of them."),
]
Prefer = Annotated[
    str | None,
    typer.Option(help="What regions are chosen for: 'time' if not given, or 'energy' for the cheapest."),
]
Replace = Annotated[
    bool | None,
    typer.Option(
        "--replace/--no-replace", help="Give tasks of a device that falls silent to others meanwhile."
    ),
]
FirstValidWins = Annotated[
    bool | None,
    typer.Option(
        "--first-valid-wins/--holder-wins", help="Count whichever result comes first, or the holder's only."
    ),
]
LostAfter = Annotated[
    float | None,
    typer.Option(
        "--lost-after",
        min=1,
        metavar="SECONDS",
        help="A device that is silent for so long has lost its tasks, and others get them: 300 if not given.",
    ),
]
MaxAttempts = Annotated[
    int | None,
    typer.Option(
        "--max-attempts",
        min=1,
        max=100,
        metavar="N",
        help="Try a task so many times at most: 3 if not given.",
    ),
]
Deadline = Annotated[
    float | None,
    typer.Option(
        "--deadline",
        min=0.001,
        metavar="SECONDS",
        help="Give up what is unfinished so long after the submission; no limit if not given.",
    ),
]
Agree = Annotated[
    int | None,
    typer.Option("--agree", min=1, metavar="K", help="Count a task when K different devices agree about it."),
]
Of = Annotated[
    int | None,
    typer.Option("--of", min=1, metavar="N", help="Ask N devices about a task at most: 2K - 1 if not given."),
]
Probes = Annotated[
    float | None,
    typer.Option(
        "--probes",
        min=0,
        metavar="NUMBER",
        help="Mix in so many tasks with a known answer; below 1 it is a share of the job's tasks.",
    ),
]
ProvenanceFile = Annotated[
    Path | None,
    typer.Option(
        "--provenance", metavar="FILE", help="Write what the result follows from, signed, to a file."
    ),
]
BundleFile = Annotated[Path, typer.Argument(metavar="FILE", help="A provenance bundle.")]
Authority = Annotated[
    str | None,
    typer.Option(
        "--authority",
        metavar="FILE|SHA256",
        help="The fleet's authority record, or its SHA-256: from its people, not from the bundle.",
    ),
]
Rerun = Annotated[
    int, typer.Option("--rerun", min=0, metavar="N", help="Run N of its tasks again on this machine.")
]
Plan = Annotated[
    bool,
    typer.Option("--plan", help="Show how it would split and how long it would take; submit nothing."),
]
Noise = Annotated[
    Path | None,
    typer.Option("--noise", metavar="FILE.toml", help="Noise model: channels after gates, and misreading."),
]
Watch = Annotated[bool, typer.Option("--watch", help="Wait for the result and show it.")]

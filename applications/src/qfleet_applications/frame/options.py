"""Options that every command of every pack has."""

from pathlib import Path
from typing import Annotated

import typer

Plan = Annotated[
    bool, typer.Option("--plan", help="Say what it would run and how long that takes; submit nothing.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON on stdout, for programs.")]
Output = Annotated[
    Path | None,
    typer.Option("--output", metavar="FILE", help="Write the report with its plots: .md or .html."),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Same seed, same answer.")]
DataFile = Annotated[
    Path | None, typer.Argument(metavar="[FILE]", help="Your own data; what is bundled if not given.")
]

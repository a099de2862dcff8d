"""Options that several sub-commands have."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, for programs.")]
Top = Annotated[int, typer.Option("--top", min=1, help="Show so many outcomes of each histogram.")]
JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="Id of the job.")]
DeviceArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the device.")]

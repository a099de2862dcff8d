"""``qfleet init``: remember a control plane and the token for it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from qfleet import configuration, errors, wording
from qfleet.command import options, outcome
from qfleet.fleet import Fleet
from qfleet.render import terminal

_DEFAULT_URL = "http://127.0.0.1:8440"


@outcome.reported
def init(
    url: Annotated[
        str | None,
        typer.Argument(help=f"Where the control plane is; asked for if not given, else {_DEFAULT_URL}."),
    ] = None,
    *,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File that holds the API token; '-' or none reads it from the terminal or stdin."),
    ] = None,
    offline: Annotated[
        bool, typer.Option(help="Do not ask the control plane whether both are right.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Store the URL of a control plane and an API token for it (mode 0600)."""
    url = _url() if url is None else url
    token = _token(token_file)
    fleet = None
    if not offline:
        with Fleet(url, token) as connection:
            fleet = connection.overview()
    file = configuration.save(url, token)
    if json:
        terminal.write_json({"configuration": str(file), "url": url, "fleet": fleet and fleet.fleet})
        return
    terminal.say(f"Stored in {file}.")
    if fleet is not None:
        online = wording.counted(fleet.online, "device")
        terminal.say(f"This is fleet {fleet.fleet}, region {fleet.region}: {online} online.")


def _url() -> str:
    if not sys.stdin.isatty():
        return _DEFAULT_URL
    return str(typer.prompt("URL of the control plane", default=_DEFAULT_URL, err=True))


def _token(file: Path | None) -> str:
    if file is not None and str(file) != "-":
        return configuration.read_token(file)
    if sys.stdin.isatty():
        text = str(typer.prompt("API token", hide_input=True, err=True))
    else:
        text = sys.stdin.readline()
    if not text.strip():
        raise errors.UserError("no API token given", hint="`qfleet-controlplane init` prints the first one")
    return configuration.check_token(text.strip(), "what was given")

"""``qfleet app``: every pack under one roof. A pack is loaded when one of its commands is asked for."""

import importlib
from collections.abc import Sequence
from typing import cast

import typer

from qfleet import errors

PACKS = {
    "healthcare": "Classifiers with quantum kernels, feature selection, survival risk. No medical device.",
    "finance": "Risk and option prices by amplitude estimation, portfolios.",
    "manufacturing": "Job shop schedules, routes, maintenance windows.",
    "cities": "Traffic, charging stations, power plants, sensors.",
    "cognition": "Order effects in surveys, the disjunction effect, integrated information.",
}
_NAME = "qfleet app"


def main(arguments: Sequence[str]) -> None:
    """Run the command with the arguments that follow ``qfleet app``.

    Raises:
        UserError: a pack's libraries are not installed.
    """
    if arguments and arguments[0] in PACKS:
        pack, *rest = arguments
        _loaded(pack)(args=rest, prog_name=f"{_NAME} {pack}")
    else:
        _listing()(args=list(arguments), prog_name=_NAME)


def _loaded(pack: str) -> typer.Typer:
    try:
        module = importlib.import_module(f"qfleet_applications.{pack}.command")
    except ModuleNotFoundError as error:
        hint = f"pip install 'qfleet-applications[{pack}]'"
        raise errors.UserError(f"the pack {pack} needs {error.name}, which is missing", hint=hint) from error
    return cast("typer.Typer", module.application)


def _listing() -> typer.Typer:
    """The packs by name and purpose only: their libraries take a second each."""
    listed = typer.Typer(
        help="Solve a problem of your field on the fleet, beside the best classical method.\n\n"
        "Quantum states are simulated on the devices. A report says who did better, as it falls.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for name, purpose in PACKS.items():
        listed.add_typer(typer.Typer(), name=name, help=purpose)
    return listed

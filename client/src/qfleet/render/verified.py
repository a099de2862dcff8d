"""What ``qfleet verify`` has found, for people and for programs."""

from typing import Any, NamedTuple

from qfleet import wording
from qfleet.render import cells, terminal
from qfleet_wire.channel.verification import Checked


class Report(NamedTuple):
    """A checked bundle, with what could not be looked into.

    ``rerun`` is how many tasks were run again, ``anchored`` whether the fleet's authority was given.
    """

    checked: Checked
    unchecked: tuple[str, ...]
    rerun: int
    anchored: bool


def as_json(report: Report) -> dict[str, Any]:
    """Everything as one value."""
    checked = report.checked
    return {
        "good": not checked.findings,
        "findings": [{"part": part, "text": text} for part, text in checked.findings],
        "unchecked": list(report.unchecked),
        "authority": checked.authority.hex(),
        "anchored": report.anchored,
        "controller": checked.controller,
        "signed": checked.signed,
        "facts": checked.facts,
        "signatures": checked.signatures,
        "results": len(checked.evidence),
        "rerun": report.rerun,
    }


def show(report: Report) -> None:
    """Say it in sentences, what is wrong last."""
    checked, facts = report.checked, report.checked.facts
    say = terminal.output().print
    if facts is not None:
        say(
            f"Job {terminal.printable(facts.job)} of fleet {terminal.printable(facts.fleet)}: {facts.status}."
        )
        agree = f", {facts.agree} devices had to agree about each task" if facts.agree > 1 else ""
        results = wording.counted(len(checked.evidence), "result")
        signatures = wording.counted(checked.signatures, "signature")
        say(f"{results} under {signatures} of devices{agree}.")
    if checked.signed is not None:
        when = cells.moment(checked.signed)
        say(f"Signed by controller {terminal.printable(checked.controller)} at {when}.")
    if checked.authority and not report.anchored:
        say(f"The authority is the bundle's own word: compare its SHA-256 {checked.authority.hex()}")
        say("with what the fleet's people tell you, or give it with --authority.")
    for each in report.unchecked:
        say(f"Not checked: {terminal.printable(each)}.")
    for part, text in checked.findings:
        say(f"WRONG, {terminal.printable(part)}: {terminal.printable(text)}.")
    if not checked.findings:
        again = f", {wording.counted(report.rerun, 'task')} run again" if report.rerun else ""
        say(f"Nothing is wrong{again}." if not report.unchecked else "Nothing is wrong in what was checked.")

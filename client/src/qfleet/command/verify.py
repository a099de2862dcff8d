"""``qfleet verify``: check a provenance bundle, offline.

Hashes, signatures and certificates are checked here. Whether the result follows from its parts is for
``qfleet-controlplane audit``, running a task again for ``qfleet-agent compute``: commands beside this one,
if they are installed there. What could not be checked is said.
"""

import random
import re
from pathlib import Path

from qfleet import errors
from qfleet.command import options, outcome, tools
from qfleet.render import terminal, verified
from qfleet_wire.channel import authority, verification
from qfleet_wire.channel.auditing import Question, Rerun
from qfleet_wire.channel.verification import Checked

_HASH = re.compile(r"[0-9a-fA-F]{64}")


@outcome.reported
def verify(
    file: options.BundleFile,
    *,
    authority: options.Authority = None,
    rerun: options.Rerun = 0,
    json: options.Json = False,
) -> None:
    """Check a provenance bundle offline; exit code 3 when anything in it is wrong."""
    expected = None if authority is None else _expected(authority)
    checked = verification.check(_read(file), expected)
    unchecked, again = _audit(checked, rerun)
    report = verified.Report(checked, tuple(unchecked), again, anchored=expected is not None)
    if json:
        terminal.write_json(verified.as_json(report))
    else:
        verified.show(report)
    if checked.findings:
        raise errors.BundleWrong(len(checked.findings))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise errors.UserError(f"cannot read {str(file)!r}: {error.strerror or error}") from error


def _expected(told: str) -> bytes:
    """SHA-256 of the authority record that is told, by a file or by itself."""
    path = Path(told)
    if path.is_file():
        return authority.record_hash(path.read_bytes())
    if _HASH.fullmatch(told):
        return bytes.fromhex(told)
    raise errors.UserError(
        f"--authority {told!r} is neither a file nor a SHA-256",
        hint="give authority/record.bin of a control plane, or the 64 digits that its people tell you",
    )


def _audit(checked: Checked, wanted: int) -> tuple[list[str], int]:
    """Ask the commands beside this one; return what could not be checked, how many tasks were run again."""
    if checked.facts is None or not checked.parts:
        return [], 0
    unchecked: list[str] = []
    reruns: list[Rerun] = []
    for position in _sample(checked, wanted):
        again = _run_again(checked, position, unchecked)
        if again is not None:
            reruns.append(again)
    answer = tools.audit(Question(checked.parts, tuple(reruns)))
    if answer is None:
        unchecked.append(
            "whether the result follows from its parts: install qfleet-controlplane in this environment"
        )
        _compare_bytes(checked, reruns, unchecked)
    else:
        checked.findings += [verification.Finding(part, text) for part, text in answer.findings]
    return unchecked, len(reruns)


def _sample(checked: Checked, wanted: int) -> list[int]:
    """Tasks to run again: drawn anew each time, so that nobody can prepare for it."""
    good = [one.position for one in checked.evidence if one.status == "succeeded"]
    known = [position for position in good if position in checked.works and position in checked.bodies]
    return sorted(random.SystemRandom().sample(known, min(wanted, len(known))))


def _run_again(checked: Checked, position: int, unchecked: list[str]) -> Rerun | None:
    computed, why = tools.compute(checked.works[position])
    if computed is None:
        unchecked.append(f"task {position} was not run again: {why}")
        return None
    told = checked.told.get(position)
    machine = next(one.machine for one in checked.evidence if one.position == position)
    here = (computed.engine, computed.engine_version, computed.machine)
    exact = told is not None and (told.engine, told.engine_version, machine) == here
    return Rerun(position, computed.body, exact)


def _compare_bytes(checked: Checked, reruns: list[Rerun], unchecked: list[str]) -> None:
    """Without the rules of comparison only equality can be told."""
    unchecked += [
        f"task {again.position} gave other bytes when it was run again: qfleet-controlplane could judge that"
        for again in reruns
        if again.body != checked.bodies[again.position]
    ]

"""Draws ``docs/states.md`` from the tables: ``python -m qfleet_controlplane.machine.diagrams``."""

import sys
from collections.abc import Sequence

from qfleet_controlplane.machine import tables

_HEAD = """# The states of tasks, jobs and devices

Drawn from `qfleet_controlplane.machine.tables` by `python -m qfleet_controlplane.machine.diagrams >
docs/states.md`; a test fails when the two differ. A step that is not drawn is illegal.
"""

_CHAPTERS: Sequence[tuple[str, str, tables.Table, str]] = (
    (
        "Task",
        "pending",
        tables.TASK,
        """\
`lease` begins a new attempt on a device, `adopt` takes back one that a device has kept. `silence`: the
device is not heard; `hear`: it is back; `lose`: the job's patience is over, or the device is out of
service. `move`: another region has it from now on. A task stays `failed` when no attempt is left.

Of a job whose devices must agree each task has copies, and these are the lives of copies. `answer`: a result
is stored and waits for the others; `succeed`: enough of them agree; `reject`: they say something else, or
too few agree; `redo`: its device was shut out, so another is asked. A `spare` copy is called when devices
contradict each other, and dismissed when they do not.""",
    ),
    (
        "Job",
        "planned",
        tables.JOB,
        """\
A job ends with its last task: `succeed` when all of them did, `split` when some did, `fail` when none
did. Where a job is spread over regions this is the life of each region's share, and `reopen` happens when
tasks are moved to a share that has ended.""",
    ),
    (
        "Device",
        "invited",
        tables.DEVICE,
        """\
`session`: it has proven who it is; `silence`: three heartbeats are missing; `lose`: silent for a day. A
quarantined, revoked or retired device gets nothing, and nothing it sends counts.""",
    ),
)


def draw() -> str:
    """Return the whole page."""
    return _HEAD + "".join(_chapter(*chapter) for chapter in _CHAPTERS)


def _chapter(name: str, first: str, table: tables.Table, text: str) -> str:
    steps: dict[tuple[str, str], list[str]] = {}
    for (before, action), after in table.items():
        steps.setdefault((before, after), []).append(action)
    lines = [f"    [*] --> {first}"]
    lines += [f"    {before} --> {after}: {', '.join(actions)}" for (before, after), actions in steps.items()]
    ends = sorted(set(table.values()) - {before for before, _ in table})
    lines += [f"    {end} --> [*]" for end in ends]
    drawing = "\n".join(lines)
    return f"\n## {name}\n\n```mermaid\nstateDiagram-v2\n{drawing}\n```\n\n{text}\n"


if __name__ == "__main__":
    sys.stdout.write(draw())

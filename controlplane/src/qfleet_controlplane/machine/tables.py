"""The life of tasks, jobs and devices, as data.

A step that is not in a table is illegal, and ``step`` raises: nothing in the control plane writes
a status in another way. The diagrams in ``docs/states.md`` are drawn from these tables. Steps
that arrive late or twice are told apart by the callers, who ask ``allowed`` first.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from qfleet_controlplane.errors import LocalError

Table: TypeAlias = Mapping[tuple[str, str], str]


class IllegalStep(LocalError):
    """A step is not in its table: the machine has contradicted itself."""


TASK: Table = MappingProxyType(
    {
        ("pending", "lease"): "leased",
        ("pending", "adopt"): "leased",
        ("pending", "move"): "pending",
        ("leased", "start"): "running",
        ("unknown", "start"): "running",
        ("leased", "silence"): "unknown",
        ("running", "silence"): "unknown",
        ("unknown", "hear"): "leased",
        ("leased", "refuse"): "pending",
        ("running", "refuse"): "pending",
        ("unknown", "refuse"): "pending",
        ("leased", "lose"): "pending",
        ("running", "lose"): "pending",
        ("unknown", "lose"): "pending",
        ("pending", "succeed"): "succeeded",
        ("leased", "succeed"): "succeeded",
        ("running", "succeed"): "succeeded",
        ("unknown", "succeed"): "succeeded",
        ("pending", "fail"): "failed",
        ("leased", "fail"): "failed",
        ("running", "fail"): "failed",
        ("unknown", "fail"): "failed",
        ("failed", "retry"): "pending",
        ("pending", "cancel"): "cancelled",
        ("leased", "cancel"): "cancelled",
        ("running", "cancel"): "cancelled",
        ("unknown", "cancel"): "cancelled",
        ("pending", "expire"): "expired",
        ("leased", "expire"): "expired",
        ("running", "expire"): "expired",
        ("unknown", "expire"): "expired",
        ("spare", "call"): "pending",
        ("spare", "move"): "spare",
        ("spare", "dismiss"): "dismissed",
        ("spare", "cancel"): "cancelled",
        ("spare", "expire"): "expired",
        ("pending", "answer"): "answered",
        ("leased", "answer"): "answered",
        ("running", "answer"): "answered",
        ("unknown", "answer"): "answered",
        ("answered", "succeed"): "succeeded",
        ("answered", "reject"): "rejected",
        ("answered", "redo"): "pending",
        ("answered", "cancel"): "cancelled",
        ("answered", "expire"): "expired",
        ("pending", "dismiss"): "dismissed",
        ("leased", "dismiss"): "dismissed",
        ("running", "dismiss"): "dismissed",
        ("unknown", "dismiss"): "dismissed",
    }
)
"""``lease`` raises the attempt, ``adopt`` takes back the attempt that a device still holds.

``move`` gives the task to another region, where it goes on as it is. The last steps are those of copies
that several devices must agree about: ``answer`` stores a result that waits for the others, ``redo`` drops
it because its device was shut out, ``call`` needs one device more, ``dismiss`` none.
"""

JOB: Table = MappingProxyType(
    {
        ("planned", "lease"): "running",
        ("planned", "succeed"): "succeeded",
        ("planned", "split"): "partial",
        ("planned", "fail"): "failed",
        ("planned", "cancel"): "cancelled",
        ("running", "succeed"): "succeeded",
        ("running", "split"): "partial",
        ("running", "fail"): "failed",
        ("running", "cancel"): "cancelled",
        ("succeeded", "reopen"): "planned",
        ("partial", "reopen"): "planned",
        ("failed", "reopen"): "planned",
        ("cancelled", "reopen"): "planned",
    }
)
"""``succeed``: every task did; ``split``: some did; ``fail``: none did.

Where a job is spread over regions, this is the life of one region's share: ``reopen`` when tasks
arrive after all that were there before are over.
"""

DEVICE: Table = MappingProxyType(
    {
        ("invited", "enrol"): "enrolled",
        ("invited", "invite"): "invited",
        ("invited", "session"): "online",
        ("enrolled", "enrol"): "enrolled",
        ("enrolled", "invite"): "enrolled",
        ("enrolled", "session"): "online",
        ("online", "enrol"): "enrolled",
        ("online", "invite"): "online",
        ("online", "session"): "online",
        ("online", "silence"): "silent",
        ("silent", "enrol"): "enrolled",
        ("silent", "invite"): "silent",
        ("silent", "session"): "online",
        ("silent", "hear"): "online",
        ("silent", "lose"): "lost",
        ("lost", "enrol"): "enrolled",
        ("lost", "invite"): "lost",
        ("lost", "session"): "online",
        ("lost", "hear"): "online",
        ("quarantined", "release"): "enrolled",
        ("enrolled", "quarantine"): "quarantined",
        ("online", "quarantine"): "quarantined",
        ("silent", "quarantine"): "quarantined",
        ("lost", "quarantine"): "quarantined",
        ("invited", "revoke"): "revoked",
        ("enrolled", "revoke"): "revoked",
        ("online", "revoke"): "revoked",
        ("silent", "revoke"): "revoked",
        ("lost", "revoke"): "revoked",
        ("quarantined", "revoke"): "revoked",
        ("retired", "revoke"): "revoked",
        ("invited", "retire"): "retired",
        ("enrolled", "retire"): "retired",
        ("online", "retire"): "retired",
        ("silent", "retire"): "retired",
        ("lost", "retire"): "retired",
        ("quarantined", "retire"): "retired",
    }
)
"""``revoked`` has no way out: its row is never deleted, and the name is spent."""

TASK_OVER = frozenset({"succeeded", "failed", "cancelled", "expired", "rejected", "dismissed"})
"""A task here has its last word; ``failed`` only stays when no attempt is left."""

TASK_HELD = frozenset({"leased", "running", "unknown"})
"""A task here belongs to a device."""

TASK_STORED = frozenset({"succeeded", "answered", "rejected"})
"""The result of a task here is stored."""

TASK_OPEN = frozenset({"pending"}) | TASK_HELD
"""A result of a task here would be of use."""

JOB_OVER = frozenset({"succeeded", "partial", "failed", "cancelled"})

SHUT_OUT = frozenset({"revoked", "quarantined", "retired"})
"""Devices here get nothing, and nothing that they send counts."""

OUT_OF_SERVICE = frozenset({"revoked", "retired"})
"""Devices here do not come back as they are; a quarantined one may be released."""


def allowed(table: Table, state: str, action: str) -> bool:
    """Whether the step is in the table."""
    return (state, action) in table


def step(table: Table, state: str, action: str) -> str:
    """Return the state after ``action``; raise ``IllegalStep`` where the table has no such key."""
    try:
        return table[state, action]
    except KeyError:
        raise IllegalStep(f"{action!r} is not possible in state {state!r}") from None

"""What the machine wants done. ``cause`` is the id of the event that asked for it.

Writes (``Write``) are made durable first, all of one round in one transaction; only then are the
other effects of that round carried out, in order. Every send may be repeated.
"""

from typing import TypeAlias

import msgspec

from qfleet_agent.machine.events import Key
from qfleet_wire.names import JobId
from qfleet_wire.payloads import Contacts, RenewalRefused, Renewed, Up


class SaveTask(msgspec.Struct, frozen=True):
    """Journal an accepted task as its encoded ``Assign``."""

    cause: int
    key: Key
    assign: bytes


class SaveResult(msgspec.Struct, frozen=True):
    """Put a result in the outbox and forget the task that it ends, in one step.

    ``result`` is an encoded ``payloads.TaskResult``. ``artefact`` is its body when that
    travels in chunks, ``digest`` the body's SHA-256.
    """

    cause: int
    key: Key
    result: bytes
    digest: bytes | None = None
    artefact: bytes | None = None


class DropResults(msgspec.Struct, frozen=True):
    """Remove acknowledged results, and artefacts that no other result needs, from the outbox."""

    cause: int
    keys: tuple[Key, ...]


class SaveEpoch(msgspec.Struct, frozen=True):
    """Remember the highest epoch."""

    cause: int
    epoch: int


class SaveTelemetry(msgspec.Struct, frozen=True):
    """Keep numbered samples (encoded ``payloads.Sample``), delete those up to ``drop_to``.

    ``next``, ``reserved`` and ``lost`` are as in ``events.StoredTelemetry``.
    """

    cause: int
    samples: tuple[tuple[int, bytes], ...]
    drop_to: int
    next: int
    reserved: int
    lost: int


class SaveContacts(msgspec.Struct, frozen=True):
    """Keep the contact plan, an encoded ``payloads.Contacts``, in place of the one before."""

    cause: int
    plan: bytes


class Start(msgspec.Struct, frozen=True):
    """Hand a task to the workers; ``work`` is an encoded ``workload.Work``."""

    cause: int
    key: Key
    job: JobId
    work: bytes
    memory_bytes: int
    time_limit_ms: int
    priority: int


class Stop(msgspec.Struct, frozen=True):
    """Take a task from the workers, whether it runs or waits."""

    cause: int
    key: Key


class Send(msgspec.Struct, frozen=True):
    """Send a payload to the controller."""

    cause: int
    payload: Up


class SendResults(msgspec.Struct, frozen=True):
    """Send these results from the outbox."""

    cause: int
    keys: tuple[Key, ...]


class SendTelemetry(msgspec.Struct, frozen=True):
    """Send journalled samples after this number, oldest first, as many as go into a message."""

    cause: int
    after: int
    lost: int


class Report(msgspec.Struct, frozen=True):
    """Tell the operator, in a sentence; ``action`` is what the log filters by."""

    cause: int
    action: str
    text: str


class Renewal(msgspec.Struct, frozen=True):
    """Hand the controller's answer about a certificate to whoever asked for it."""

    cause: int
    answer: Renewed | RenewalRefused


class Plan(msgspec.Struct, frozen=True):
    """Let ways be there by this contact plan, and tell the controller what that changes."""

    cause: int
    contacts: Contacts


Write: TypeAlias = SaveTask | SaveResult | DropResults | SaveEpoch | SaveTelemetry | SaveContacts
Act: TypeAlias = Start | Stop | Send | SendResults | SendTelemetry | Report | Renewal | Plan
Effect: TypeAlias = Write | Act

WRITES = (SaveTask, SaveResult, DropResults, SaveEpoch, SaveTelemetry, SaveContacts)
"""The classes of ``Write``, for ``isinstance``."""

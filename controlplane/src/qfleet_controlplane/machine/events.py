"""What happens to the control plane, as the machine is told it.

Messages of devices come verified: the link has opened them, and checked the signature of every
``payloads.Results``. An event may come twice or late; the machine makes each harmless.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from qfleet_controlplane.machine.state import ContactPlan, Job
from qfleet_controlplane.planning.plan import Plan
from qfleet_controlplane.planning.regions import RegionFacts
from qfleet_controlplane.planning.specification import Specification
from qfleet_wire import api, payloads
from qfleet_wire.names import DeviceName, JobId, TaskId


class _Event(msgspec.Struct, frozen=True):
    """Base of all events."""


class JobSubmitted(_Event, frozen=True):
    """Someone asks for a job; the request is compiled, ``job`` and its seed are drawn.

    ``plan`` is how it was split when its place was chosen, with the sentences of ``placement``;
    None lets the machine plan over its own devices.
    """

    job: JobId
    request: api.JobRequest
    specification: Specification
    who: str
    plan: Plan | None = None
    placement: tuple[str, ...] = ()


class ShareArrived(_Event, frozen=True):
    """Tasks of a job are this region's: ``job`` as it was read from the store, with these tasks.

    Tasks that the machine has already are left alone. ``cancelled`` is the reason with which the job
    was cancelled before this was read; None when it was not.
    """

    job: Job
    cancelled: str | None = None


class Rebalance(_Event, frozen=True):
    """Look whether tasks that wait here should be another region's; ``region`` is this one.

    ``facts`` are those of all regions, the stale ones marked; posted every two seconds.
    """

    region: str
    facts: tuple[RegionFacts, ...]


class JobCancelled(_Event, frozen=True):
    """Someone cancels a job; the reason may be empty."""

    job: JobId
    reason: str
    who: str


class Invited(_Event, frozen=True):
    """A join token was made for a device of this name."""

    device: DeviceName
    who: str


class Enrolled(_Event, frozen=True):
    """A device has its certificate."""

    device: DeviceName
    certificate_hash: bytes = b""
    certificate_expires: int = 0


class CertificateRenewed(_Event, frozen=True):
    """A device has a new certificate."""

    device: DeviceName
    certificate_hash: bytes
    certificate_expires: int


class SessionOpened(_Event, frozen=True):
    """A device has confirmed a new session; its announcement and inventory will follow."""

    device: DeviceName


class Heard(_Event, frozen=True):
    """One payload of a device."""

    device: DeviceName
    item: payloads.Up


class HeardBatch(_Event, frozen=True):
    """Payloads of a device, in order."""

    device: DeviceName
    items: Sequence[payloads.Up]


class LinkChanged(_Event, frozen=True):
    """The broker of the region is connected, or is not any more."""

    up: bool


class PresenceLost(_Event, frozen=True):
    """A device's last will came. A hint: the broker could have made it up."""

    device: DeviceName


class Revoked(_Event, frozen=True):
    """Someone revokes a device for good."""

    device: DeviceName
    reason: str
    who: str


class Quarantined(_Event, frozen=True):
    """Someone takes a device out of service until it is released."""

    device: DeviceName
    reason: str
    who: str


class Released(_Event, frozen=True):
    """Someone ends a device's quarantine."""

    device: DeviceName
    who: str


class Retired(_Event, frozen=True):
    """Someone takes a device out of the fleet in good order."""

    device: DeviceName
    reason: str
    who: str


class Assembled(_Event, frozen=True):
    """The chunks of an artefact were read back: ``body`` if its SHA-256 is right, else None."""

    device: DeviceName
    digest: bytes
    body: bytes | None


class Compared(_Event, frozen=True):
    """A second result of a finished task was compared with the one that counts.

    ``first`` is the device whose result counts; ``difference`` says how they contradict each other.
    """

    task: TaskId
    first: DeviceName
    second: DeviceName
    difference: str | None


class Weighing(NamedTuple):
    """How the results at two positions of a job's plan compare; the digests say which results they were.

    ``exact``: equality was demanded of them, up to rounding.
    """

    first: int
    second: int
    first_digest: bytes
    second_digest: bytes
    difference: str | None
    exact: bool


class Weighed(_Event, frozen=True):
    """Results of copies of a job's tasks were compared with each other."""

    job: JobId
    found: tuple[Weighing, ...]


class ContactsPlanned(_Event, frozen=True):
    """When devices are in contact, by the network that is loaded; it takes the place of the plan before."""

    plan: ContactPlan


class Tick(_Event, frozen=True):
    """A timer is due."""


class Settle(_Event, frozen=True):
    """The batch of events is at its end: lease what can be leased now."""


class Ordered(_Event, frozen=True):
    """An event that came by the region's durable inbox, whose row goes with what the event does."""

    order: int
    event: "ShareArrived | JobCancelled | Invited | Enrolled | Revoked | Quarantined | Released | Retired"


class Reloaded(_Event, frozen=True):
    """The machine was rebuilt from the store; the first event then.

    ``devices`` have sessions that live on: they are asked what they hold.
    """

    devices: tuple[DeviceName, ...]


Event: TypeAlias = (
    JobSubmitted
    | ShareArrived
    | Rebalance
    | Ordered
    | JobCancelled
    | Invited
    | Enrolled
    | CertificateRenewed
    | SessionOpened
    | Heard
    | HeardBatch
    | LinkChanged
    | PresenceLost
    | Revoked
    | Quarantined
    | Released
    | Retired
    | Assembled
    | Compared
    | Weighed
    | ContactsPlanned
    | Tick
    | Settle
    | Reloaded
)

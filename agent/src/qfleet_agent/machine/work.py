"""The few facts of a work that admission needs, read without building what it carries.

A program of a million statements is skipped, not decoded: only a worker decodes it.
"""

import msgspec

from qfleet_wire import codec, workload


class ProgramHead(msgspec.Struct, frozen=True):
    """How wide a program is."""

    qubits: int


class ItemHead(msgspec.Struct, frozen=True):
    """How many shots an item draws."""

    shots: int = 0


class Head(msgspec.Struct, frozen=True):
    """What every ``workload.Work`` says of itself in the same words; ``type`` is its tag on the wire."""

    type: str
    method: str = ""
    program: ProgramHead = ProgramHead(0)
    qubits: int = 0
    items: tuple[ItemHead, ...] = ()


def head_of(work: bytes | msgspec.Raw) -> Head:
    """Read the head of an encoded ``workload.Work``.

    Raises:
        InvalidMessage, LimitExceeded: the bytes are no work.
    """
    return codec.decode(work, Head)


def kind_of(head: Head) -> str:
    """Return what an engine must be able to do for it: its kind, and the method if it names one."""
    return workload.capability(head.type, head.method)


def qubits_of(head: Head) -> int:
    """Width of the state vector that the work needs, 0 if none."""
    return 0 if head.method in workload.WITHOUT_VECTOR else head.program.qubits or head.qubits


def shots_of(head: Head) -> int:
    """Shots over all items of the work."""
    return sum(item.shots for item in head.items)

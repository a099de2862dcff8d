"""The few facts of a work that admission needs, read without building the program it carries.

A program of a million statements is skipped, not decoded: only a worker decodes it.
"""

from typing import TypeAlias

import msgspec

from qfleet_wire import codec


class ProgramHead(msgspec.Struct, frozen=True):
    """How wide a program is."""

    qubits: int


class ItemHead(msgspec.Struct, frozen=True):
    """How many shots an item draws."""

    shots: int = 0


class SampleHead(msgspec.Struct, frozen=True, tag="circuit.sample"):
    """Head of ``workload.CircuitSample``."""

    program: ProgramHead
    seed: int
    items: tuple[ItemHead, ...]


class ExpectHead(msgspec.Struct, frozen=True, tag="circuit.expect"):
    """Head of ``workload.CircuitExpect``."""

    program: ProgramHead
    seed: int
    items: tuple[ItemHead, ...]


class EchoHead(msgspec.Struct, frozen=True, tag="probe.echo"):
    """Head of ``workload.ProbeEcho``."""


Head: TypeAlias = SampleHead | ExpectHead | EchoHead

ECHO = EchoHead.__struct_config__.tag
"""The kind of a known-answer probe."""


def head_of(work: bytes | msgspec.Raw) -> Head:
    """Read the head of an encoded ``workload.Work``.

    Raises:
        InvalidMessage, LimitExceeded: the bytes are no work that this agent knows.
    """
    return codec.decode(work, Head)  # type: ignore[arg-type]  # a union is no type to mypy


def kind_of(head: Head) -> str:
    """Return the workload's kind, its tag on the wire."""
    return str(head.__struct_config__.tag)


def qubits_of(head: Head) -> int:
    """Width of the state vector that the work needs, 0 if none."""
    return 0 if isinstance(head, EchoHead) else head.program.qubits


def shots_of(head: Head) -> int:
    """Shots over all items of the work."""
    return 0 if isinstance(head, EchoHead) else sum(item.shots for item in head.items)

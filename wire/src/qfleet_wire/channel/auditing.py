"""What a verifier of provenance bundles asks of the commands beside it, and what they answer.

``qfleet-controlplane audit`` knows the rules of planning and merging, ``qfleet-agent compute`` has the
engines. Both read one encoded message on standard input and write one on standard output; they need no
configuration, no key and no network.
"""

import msgspec


class Rerun(msgspec.Struct, frozen=True):
    """A task that was run again: ``body`` is an encoded ``workload.WorkResult``.

    ``exact``: it ran on the engine, the version and the architecture of the result that it is compared with.
    """

    position: int
    body: bytes
    exact: bool


class Question(msgspec.Struct, frozen=True):
    """The parts of a bundle, and tasks that were run again."""

    parts: dict[str, bytes]
    reruns: tuple[Rerun, ...] = ()


class Answer(msgspec.Struct, frozen=True):
    """What is wrong: pairs of a part's name and a sentence; empty where the result follows from its parts."""

    findings: tuple[tuple[str, str], ...]


class Computed(msgspec.Struct, frozen=True):
    """A task's result as it was computed here."""

    engine: str
    engine_version: str
    machine: str
    body: bytes

"""The frames between the agent and the bridge to a Dask cluster, cut like those of a worker.

Unlike a worker, the bridge has many tasks in flight and answers in any order. A task is a number
here, as it is on the cluster: neither holds a key or a name of the fleet.
"""

from typing import TypeAlias

import msgspec

from qfleet_agent.workers import frames
from qfleet_wire.payloads import Engine


class Connect(msgspec.Struct, frozen=True, array_like=True, tag="c"):
    """Agent to bridge, first: where the scheduler is. Paths are empty where there is none."""

    address: str
    """As Dask writes it, ``tcp://HOST:PORT`` or ``tls://HOST:PORT``; empty: from the file."""
    scheduler_file: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    @property
    def name(self) -> str:
        """How people call the scheduler."""
        return self.address or self.scheduler_file


class Give(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="g"):
    """Agent to bridge: run this encoded work on the cluster."""

    number: int
    work: bytes
    memory_bytes: int
    time_limit_s: float
    priority: int
    light: bool


class Drop(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="d"):
    """Agent to bridge: nobody wants this any more; answered with ``Dropped``."""

    number: int


class Site(msgspec.Struct, frozen=True, array_like=True, tag="S"):
    """Bridge to agent: what the cluster is and can do now. Sizes in bytes."""

    scheduler: str
    workers: int
    """Worker processes that may run tasks."""
    threads: int
    """Tasks that may run at once."""
    memory_bytes: int
    task_memory_bytes: int
    """Most that one task may use: on the worker that has most for each of its threads."""
    machine: str
    engines: tuple[Engine, ...]
    refused: tuple[str, ...]
    """Workers that get no tasks, each with the reason."""


class Trouble(msgspec.Struct, frozen=True, array_like=True, tag="T"):
    """Bridge to agent: the cluster cannot be used, and why; the bridge goes on trying."""

    text: str


class Dropped(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="D"):
    """Bridge to agent: nothing of the task runs any more."""

    number: int


Down: TypeAlias = Connect | Give | Drop
Up: TypeAlias = Site | Trouble | Dropped | frames.Begun | frames.Share | frames.Done | frames.Broken

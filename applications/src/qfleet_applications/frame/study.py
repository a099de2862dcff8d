"""A problem that can be priced before it is run."""

from typing import Protocol

from qfleet import JobRequest
from qfleet_applications.frame.desk import Runner
from qfleet_applications.frame.report import Report


class Study(Protocol):
    """A domain problem, read and checked: what it would run, and how it is run and judged.

    ``requests`` are the jobs of the first round, which is all of them where later ones do not depend on it.
    ``qubits`` is the width of the widest, 0 where no qubits are simulated.
    """

    @property
    def title(self) -> str:
        """What it is about, in a few words."""

    @property
    def qubits(self) -> int:
        """The qubits that a device must hold."""

    def requests(self) -> tuple[JobRequest, ...]:
        """The jobs that are known before anything has run."""

    def conduct(self, desk: Runner) -> Report:
        """Run it and judge it; ``jobs`` and ``seconds`` of the report are filled in by who carries it out."""

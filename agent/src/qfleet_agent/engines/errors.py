"""Why a piece of work ends without a result: leaves of the agent's exception tree."""

from qfleet_agent.errors import LocalError, RemoteError


class EngineMissing(LocalError):
    """The engine that the work needs is not installed."""


class MemoryShort(LocalError):
    """The work needs more memory than its limit allows."""


class WorkInvalid(RemoteError):
    """The work breaks a rule of the workload specification."""


class ProgramFailed(RemoteError):
    """The program did something that has no meaning, such as a division by zero."""

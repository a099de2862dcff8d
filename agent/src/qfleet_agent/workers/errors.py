"""What can be wrong with the workers themselves: leaves of the agent's exception tree."""

from qfleet_agent.errors import LocalError


class DuplicateTask(LocalError):
    """A task of this key is queued or running."""


class PoolClosed(LocalError):
    """The pool takes no tasks any more."""


class WorkersUnavailable(LocalError):
    """No worker process could be started."""


class FrameInvalid(LocalError):
    """Bytes between agent and worker are not a frame."""


class WorkFailed(LocalError):
    """Work that was run outside the tasks failed."""


class ClusterLost(LocalError):
    """The scheduler of a cluster cannot be reached any more."""

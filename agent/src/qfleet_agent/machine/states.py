"""The life of a task on a device, as data: a step that is not in the table is illegal.

The diagram in the docs is drawn from ``STEPS``.
"""

from collections.abc import Mapping
from enum import StrEnum

from qfleet_agent.errors import IllegalStep


class State(StrEnum):
    """Where a task is."""

    UNKNOWN = "unknown"
    """The device has not heard of it, or has forgotten it."""
    ACCEPTED = "accepted"
    """It is journalled and waits for a worker."""
    RUNNING = "running"
    """A worker has it. Not journalled: after a restart it is accepted again."""
    FINISHED = "finished"
    """Its result, whatever the outcome, is in the outbox until the controller has stored it."""


class Step(StrEnum):
    """What can happen to a task."""

    ACCEPT = "accept"
    START = "start"
    FINISH = "finish"
    """An outcome exists: succeeded, failed, cancelled or expired."""
    ACKNOWLEDGE = "acknowledge"
    """The controller has stored the result."""


STEPS: Mapping[tuple[State, Step], State] = {
    (State.UNKNOWN, Step.ACCEPT): State.ACCEPTED,
    (State.UNKNOWN, Step.FINISH): State.FINISHED,  # cancelled before its assignment arrived
    (State.ACCEPTED, Step.START): State.RUNNING,
    (State.ACCEPTED, Step.FINISH): State.FINISHED,
    (State.RUNNING, Step.FINISH): State.FINISHED,
    (State.FINISHED, Step.ACKNOWLEDGE): State.UNKNOWN,
}


def after(state: State, step: Step) -> State:
    """Return the state after ``step``; raise ``IllegalStep`` where the table has no such step."""
    try:
        return STEPS[state, step]
    except KeyError:
        raise IllegalStep(f"a task that is {state} cannot take the step {step}") from None

"""The life of a relay at its two ends, as data: a step that is not in the table is illegal.

The target keeps first and says so; the source keeps and releases when it hears that, in one transaction, and
says so; then the target releases. So a key that was released at one end is durable at the other.
"""

from collections.abc import Mapping
from enum import StrEnum

from qfleet_agent.errors import IllegalStep


class State(StrEnum):
    """Where a relay is at one end."""

    OPENING = "opening"
    """Source: the target has not said that it waits. Target: it waits."""
    CARRYING = "carrying"
    """Source: a pad is used up, and the secret is on its way."""
    HELD = "held"
    """Target: the key is durable here, and provisional."""
    RELEASED = "released"
    """The key is durable at both ends and may be used."""
    GONE = "gone"
    """This end has no key, and never will."""


class Step(StrEnum):
    """What can happen to a relay."""

    CARRY = "carry"
    KEEP = "keep"
    RELEASE = "release"
    GIVE_UP = "give up"


STEPS: Mapping[tuple[State, Step], State] = {
    (State.OPENING, Step.CARRY): State.CARRYING,
    (State.OPENING, Step.KEEP): State.HELD,
    (State.CARRYING, Step.RELEASE): State.RELEASED,
    (State.HELD, Step.RELEASE): State.RELEASED,
    (State.OPENING, Step.GIVE_UP): State.GONE,
    (State.CARRYING, Step.GIVE_UP): State.GONE,
    (State.HELD, Step.GIVE_UP): State.GONE,
}


def after(state: State, step: Step) -> State:
    """Return the state after ``step``. Raises ``IllegalStep``."""
    try:
        return STEPS[state, step]
    except KeyError:
        raise IllegalStep(f"a relay that is {state} cannot take the step {step}") from None

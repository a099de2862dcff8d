"""The life of a session at one end, as data: a step that is not in the table is illegal.

Bob keeps first, and only then says so; Alice keeps and releases when she hears it, and says so; then Bob
releases. So a released key is durable at the other end, whatever is lost and whoever restarts.
"""

from collections.abc import Mapping
from enum import StrEnum

from qfleet_agent.errors import IllegalStep


class State(StrEnum):
    """Where a session is at one end."""

    STARTED = "started"
    """Its plan is saved; nothing was heard. After a restart from here up to confirming, it is gone."""
    COUNTING = "counting"
    """Blocks of pulses are announced and compared."""
    CORRECTING = "correcting"
    """The reconciliation asks and answers."""
    CONFIRMING = "confirming"
    """Bob's key is corrected; it is verified and amplified."""
    HELD = "held"
    """The key is durable here, and provisional: nothing may use it."""
    RELEASED = "released"
    """The key is durable at both ends and may be used; the other end may not know yet."""
    GONE = "gone"
    """This end holds no key of the session and never will; the other end may not know yet."""
    FORGOTTEN = "forgotten"
    """Both ends know; nothing is left but the key, if there is one."""


class Step(StrEnum):
    """What can happen to a session."""

    OPEN = "open"
    SIFT = "sift"
    """The last block was compared, and nothing in the counts speaks of an eavesdropper."""
    CORRECT = "correct"
    KEEP = "keep"
    """The key is made and stored."""
    RELEASE = "release"
    """The other end said that it holds the key."""
    GIVE_UP = "give up"
    """A sign of an eavesdropper, a restart, too few counts, or the other end gave up."""
    LOSE = "lose"
    """The other end says that it holds no key and never will, after this one was kept."""
    FORGET = "forget"


STEPS: Mapping[tuple[State, Step], State] = {
    (State.STARTED, Step.OPEN): State.COUNTING,
    (State.COUNTING, Step.SIFT): State.CORRECTING,
    (State.CORRECTING, Step.CORRECT): State.CONFIRMING,
    (State.CONFIRMING, Step.KEEP): State.HELD,
    (State.HELD, Step.RELEASE): State.RELEASED,
    (State.RELEASED, Step.FORGET): State.FORGOTTEN,
    (State.STARTED, Step.GIVE_UP): State.GONE,
    (State.COUNTING, Step.GIVE_UP): State.GONE,
    (State.CORRECTING, Step.GIVE_UP): State.GONE,
    (State.CONFIRMING, Step.GIVE_UP): State.GONE,
    (State.HELD, Step.LOSE): State.GONE,
    (State.GONE, Step.FORGET): State.FORGOTTEN,
}

LIVE = frozenset({State.STARTED, State.COUNTING, State.CORRECTING, State.CONFIRMING})
"""States of which nothing but the plan is saved."""


def after(state: State, step: Step) -> State:
    """The state after ``step``.

    Raises:
        IllegalStep: Where the table has no such step.
    """
    try:
        return STEPS[state, step]
    except KeyError:
        raise IllegalStep(f"a key session that is {state} cannot take the step {step}") from None

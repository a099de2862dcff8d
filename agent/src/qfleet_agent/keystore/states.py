"""The life of a block of key material, as data: a step that is not in the table is illegal."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from qfleet_agent.errors import IllegalStep


class State(StrEnum):
    """Where a block is."""

    UNKNOWN = "unknown"
    """The store has not heard of it."""
    PROVISIONAL = "provisional"
    """It is stored here; whether the peer has it too is not known yet."""
    HELD = "held"
    """The peer has it too: its bits may be used."""
    SPENT = "spent"
    """All its bits are used."""
    EXPIRED = "expired"
    """Its time was over before its bits were used."""
    DESTROYED = "destroyed"
    """It was given up: an eavesdropper, a cut session, a peer without it."""
    DAMAGED = "damaged"
    """What is stored of it does not open; it is set aside."""


class Step(StrEnum):
    """What can happen to a block."""

    KEEP = "keep"
    RELEASE = "release"
    """The peer has proved that it stored the block, by saying so or by using it."""
    SPEND = "spend"
    EXPIRE = "expire"
    DESTROY = "destroy"
    SET_ASIDE = "set aside"


STEPS: Final[Mapping[tuple[State, Step], State]] = {
    (State.UNKNOWN, Step.KEEP): State.PROVISIONAL,
    (State.PROVISIONAL, Step.RELEASE): State.HELD,
    (State.PROVISIONAL, Step.EXPIRE): State.EXPIRED,
    (State.PROVISIONAL, Step.DESTROY): State.DESTROYED,
    (State.PROVISIONAL, Step.SET_ASIDE): State.DAMAGED,
    (State.HELD, Step.SPEND): State.SPENT,
    (State.HELD, Step.EXPIRE): State.EXPIRED,
    (State.HELD, Step.DESTROY): State.DESTROYED,
    (State.HELD, Step.SET_ASIDE): State.DAMAGED,
    (State.DAMAGED, Step.EXPIRE): State.EXPIRED,
    (State.DAMAGED, Step.DESTROY): State.DESTROYED,
}
USABLE: Final = State.HELD
MATERIAL: Final = frozenset({State.PROVISIONAL, State.HELD, State.DAMAGED})
"""States in which anything of the material is still on the disk."""


def after(state: State, step: Step) -> State:
    """Return the state after ``step``; raise ``IllegalStep`` where the table has no such step."""
    try:
        return STEPS[state, step]
    except KeyError:
        raise IllegalStep(f"a block that is {state} cannot take the step {step!r}") from None

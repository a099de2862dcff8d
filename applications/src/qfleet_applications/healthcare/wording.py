"""What every report of this pack says: it is no medical device, and what leaves the site."""

from typing import Literal, TypeAlias, get_args

import numpy as np

from qfleet_applications.errors import InvalidProblem
from qfleet_applications.healthcare.feature_maps import Floats

Placement: TypeAlias = Literal["fleet", "data-local"]

NO_DEVICE = (
    "This is no medical device. It is research software, not validated for diagnosis or treatment; nothing "
    "in this report is advice about a patient."
)
PSEUDONYMS = (
    "Records have pseudonyms: 48 bits of a keyed hash, whose key stays on this machine. Whoever has the key, "
    "or knows a record's numbers, can still recognise it: pseudonymised data are personal data."
)
SENT = (
    "Placement fleet: the scaled components of every row were sent to the fleet's devices. They are numbers "
    "about patients; labels and records were not sent."
)
STAYED = (
    "Placement data-local: kernels were computed by the engine on the machine of the data. No row went to "
    "the fleet, in clear or sealed, and no label; this report holds block results, and stays where it is."
)
LEAKS = (
    "What block results can leak, once somebody passes them on: a fidelity tells how alike two rows are, "
    "and rows that are equal have the fidelity 1; fidelities with enough known points determine a row's "
    "angles up to symmetries of the map, as distances do. A support vector shown beside a patient tells "
    "that such a record exists. Treat kernels as patient data."
)

STAYED_JOINED = (
    "Kernels were computed where the rows lie. A site gives away sums over its rows for each kernel, "
    "KᵀK and Kᵀy with the landmarks, and how many rows it has; no row, no kernel value of one, no name."
)
JOINED_LEAKS = (
    "What sums can leak: who has those of two requests that differ by one row has that row's kernel values "
    "and its label, and so has who knows all rows but one. The sums of a kernel with m landmarks are "
    "m (m + 3) / 2 equations for the rows' angles, and might be solved for them; sums over so few rows that "
    "they have as few angles are refused, which is counting and no proof. They are neither encrypted nor "
    "noisy: there is no guarantee such as differential privacy. The classifier leaks no more than they do, "
    "and not nothing. Pass sums on once, sealed, and only to whom you may give data about patients."
)


def placement(asked: str | None, *, own: bool) -> Placement:
    """Where kernels are computed: a user's own data stay on this machine unless told otherwise.

    Raises:
        InvalidProblem: there is no such placement.
    """
    if asked is None:
        return "data-local" if own else "fleet"
    found: Placement | None = next((one for one in get_args(Placement) if one == asked), None)
    if found is None:
        raise InvalidProblem(f"no placement {asked!r}", hint=f"there are {', '.join(get_args(Placement))}")
    return found


def place(where: Placement) -> str:
    """Where the quantum part ran, for a comparison."""
    return "on the fleet" if where == "fleet" else "on this machine"


def repeated(rows: Floats) -> tuple[str, ...]:
    """A caveat where rows (n, features) are equal: one may be trained on and its equal tested on."""
    equal = len(rows) - len(np.unique(rows, axis=0))
    if not equal:
        return ()
    told = (
        f"{equal} of {len(rows)} rows equal another. If they are the same patients, they were trained on and "
        "tested on, and accuracies are too high."
    )
    return (told,)


def notes(where: Placement) -> tuple[str, ...]:
    """The notes on privacy, and that it is no medical device."""
    return (NO_DEVICE, PSEUDONYMS, *((SENT,) if where == "fleet" else (STAYED,)), LEAKS)

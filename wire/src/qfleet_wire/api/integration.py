"""``iit.phi``: what is asked, and the answer."""

from typing import Literal, TypeAlias

import msgspec

from qfleet_wire.api.results import SourceView
from qfleet_wire.api.status import JobStatus

Number: TypeAlias = float | tuple[float, float]
"""A real number, or a complex one as its two parts."""
Qubits: TypeAlias = tuple[int, ...]


class PhiRequest(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    kw_only=True,
    tag_field="kind",
    tag="iit.phi",
):
    """Integrated information of the mechanisms of a quantum system of at most three qubits.

    The step of the system is a ``program`` (OpenQASM 2 or 3, gates alone) or a ``unitary`` (rows of a
    matrix). Its state is a ``state`` of one letter per qubit (``01+-rl``, qubit 0 first), a
    ``preparation`` (a program from |0…0⟩), ``amplitudes``, or a ``density`` matrix. Matrices and
    amplitudes have qubit 0 as the most significant bit, as kets are written.

    ``mechanisms``, ``purviews`` and ``directions`` choose what is evaluated, all of it where they are empty.
    Effects are those of the state; causes are those of the state after the step, or with ``cause_of``
    ``"input"`` those of the state itself.
    """

    program: str = ""
    unitary: tuple[tuple[Number, ...], ...] = ()
    state: str = ""
    preparation: str = ""
    amplitudes: tuple[Number, ...] = ()
    density: tuple[tuple[Number, ...], ...] = ()
    mechanisms: tuple[Qubits, ...] = ()
    purviews: tuple[Qubits, ...] = ()
    directions: tuple[Literal["cause", "effect"], ...] = ()
    cause_of: Literal["output", "input"] = "output"


class PurviewView(msgspec.Struct, frozen=True):
    """φ over one purview, in bits; ``partition`` pairs parts of the mechanism and of the purview.

    ``information`` is the intrinsic information of the whole mechanism over the purview.
    """

    purview: Qubits
    phi: float
    partition: tuple[tuple[Qubits, Qubits], ...]
    information: float


class DistinctionView(msgspec.Struct, frozen=True):
    """A mechanism's cause or effect: the purview with the largest φ, of equals the larger one.

    ``purviews`` has all that were evaluated. φ is 0 where every purview can be taken apart.
    """

    direction: Literal["cause", "effect"]
    mechanism: Qubits
    purview: Qubits
    phi: float
    purviews: tuple[PurviewView, ...]


class PhiResultView(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="iit.phi"):
    """Result of an integrated-information job."""

    job: str
    status: JobStatus
    seed: int
    qubits: int
    distinctions: tuple[DistinctionView, ...]
    sources: tuple[SourceView, ...]

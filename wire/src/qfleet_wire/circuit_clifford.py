"""Which gates are Clifford, and what they are made of: the one table that compiler and engines share.

A Clifford gate maps Pauli products to Pauli products. Of one qubit there are 24 up to phase, told by
where X and Z go. A controlled gate e^{iα}·P is Clifford if P is a Pauli and α a multiple of π/2: the
phase is then a power of S on the control (Nielsen and Chuang, section 4.3). With two controls only a
phase of π is left (CZ), with more none. An angle counts as a multiple of π/2 within ``TOLERANCE``.
"""

import cmath
import functools
import itertools
import math
from collections.abc import Sequence
from typing import TypeAlias

from qfleet_wire import circuit

Step: TypeAlias = tuple[str, tuple[int, ...]]
"""A gate by its name in stim (X, Y, Z, H, S, S_DAG, SQRT_X, SQRT_X_DAG, CX, CY, CZ, SWAP), and its qubits."""

TOLERANCE = 1e-10
"""Radians that an angle may be off; what is computed is then off by no more for each gate."""

_Matrix: TypeAlias = tuple[complex, complex, complex, complex]
_Word: TypeAlias = tuple[str, ...]

_R = math.sqrt(0.5)
_E = cmath.exp(0.25j * math.pi)
_ONE: _Matrix = (1, 0, 0, 1)
_PAULIS: dict[str, _Matrix] = {"X": (0, 1, 1, 0), "Y": (0, -1j, 1j, 0), "Z": (1, 0, 0, -1)}
_FIXED: dict[str, _Matrix] = {
    "id": _ONE,
    "x": _PAULIS["X"],
    "y": _PAULIS["Y"],
    "z": _PAULIS["Z"],
    "h": (_R, _R, _R, -_R),
    "s": (1, 0, 0, 1j),
    "sdg": (1, 0, 0, -1j),
    "t": (1, 0, 0, _E),
    "tdg": (1, 0, 0, _E.conjugate()),
    "sx": (0.5 + 0.5j, 0.5 - 0.5j, 0.5 - 0.5j, 0.5 + 0.5j),
    "sxdg": (0.5 - 0.5j, 0.5 + 0.5j, 0.5 + 0.5j, 0.5 - 0.5j),
}
_GENERATORS: dict[str, _Matrix] = _PAULIS | {
    "H": _FIXED["h"],
    "S": _FIXED["s"],
    "S_DAG": _FIXED["sdg"],
    "SQRT_X": _FIXED["sx"],
    "SQRT_X_DAG": _FIXED["sxdg"],
}
_TURNS: tuple[_Word, ...] = ((), ("S",), ("Z",), ("S_DAG",))
"""Powers of S."""


def steps(gate: circuit.Gate, angles: Sequence[float]) -> tuple[Step, ...] | None:
    """Take a gate apart into Clifford steps, up to a global phase; None if at these angles it is not one."""
    form = _form(gate.name, tuple(map(float, angles)), gate.power, len(gate.controls))
    if form is None:
        return None
    qubits = (*(control.qubit for control in gate.controls), *gate.qubits)
    placed = tuple((name, tuple(qubits[place] for place in places)) for name, places in form)
    flips = tuple(("X", (control.qubit,)) for control in gate.controls if not control.value)
    return (*flips, *placed, *flips) if placed else ()


@functools.lru_cache(maxsize=4096)
def _form(name: str, angles: tuple[float, ...], power: float, controls: int) -> tuple[Step, ...] | None:
    """Steps on positions: the controls first, then the targets."""
    if not all(map(math.isfinite, (*angles, power))):
        return None
    if name == "swap":
        return _swap(power, controls)
    if name == "gphase":
        angle = angles[0] if power == 1 else power * _principal(cmath.exp(1j * angles[0]))
        return _phase(angle, controls) if controls else ()
    matrix = _FIXED[name] if name in _FIXED else _rotation(name, angles)
    if power != 1:
        matrix = _power(matrix, power)
    if not controls:
        word = _words().get(_images(matrix))
        return None if word is None else tuple((each, (0,)) for each in word)
    return _controlled(matrix, controls)


def _swap(power: float, controls: int) -> tuple[Step, ...] | None:
    if power % 2 == 0:
        return ()
    return (("SWAP", (0, 1)),) if power % 2 == 1 and not controls else None


def _phase(angle: float, controls: int) -> tuple[Step, ...] | None:
    """A phase where all controls are 1."""
    unit = {1: math.pi / 2, 2: math.pi}.get(controls, 2 * math.pi)
    turns = round(angle / unit)
    if abs(angle - turns * unit) > TOLERANCE:
        return None
    if controls == 1:
        return tuple((name, (0,)) for name in _TURNS[turns % 4])
    return (("CZ", (0, 1)),) if controls == 2 and turns % 2 else ()


def _controlled(matrix: _Matrix, controls: int) -> tuple[Step, ...] | None:
    """Steps of a controlled e^{iα}·P; None if the matrix is no such thing."""
    parts = {name: _trace(_times(pauli, matrix)) / 2 for name, pauli in (("I", _ONE), *_PAULIS.items())}
    pauli = max(parts, key=lambda name: abs(parts[name]))
    if any(abs(part) > TOLERANCE for name, part in parts.items() if name != pauli):
        return None
    if pauli != "I" and controls > 1:
        return None
    phase = _phase(cmath.phase(parts[pauli]), controls)
    if phase is None or pauli == "I":
        return phase
    return (*phase, (f"C{pauli}", (0, 1)))


def _rotation(name: str, angles: tuple[float, ...]) -> _Matrix:
    half = angles[0] / 2
    cosine, sine = math.cos(half), math.sin(half)
    match name:
        case "p":
            return (1, 0, 0, cmath.exp(1j * angles[0]))
        case "rz":
            return (cmath.exp(-1j * half), 0, 0, cmath.exp(1j * half))
        case "rx":
            return (cosine, -1j * sine, -1j * sine, cosine)
        case "ry":
            return (cosine, -sine, sine, cosine)
    phi, lam = cmath.exp(1j * angles[1]), cmath.exp(1j * angles[2])
    return (cosine, -lam * sine, phi * sine, phi * lam * cosine)


def _power(matrix: _Matrix, exponent: float) -> _Matrix:
    """The principal power of a unitary: f(U) = f(λ₁)·1 + (f(λ₁) - f(λ₂))/(λ₁ - λ₂)·(U - λ₁) (Sylvester)."""
    a, b, c, d = matrix
    middle, spread = (a + d) / 2, cmath.sqrt((a - d) ** 2 / 4 + b * c)
    one, other = middle + spread, middle - spread
    raised = cmath.exp(1j * exponent * _principal(one))
    if abs(spread) < TOLERANCE:
        return (raised, 0, 0, raised)
    slope = (raised - cmath.exp(1j * exponent * _principal(other))) / (one - other)
    return (raised + slope * (a - one), slope * b, slope * c, raised + slope * (d - one))


def _principal(number: complex) -> float:
    """Phase in (-π, π]; rounding noise just above -π is π."""
    angle = cmath.phase(number)
    return math.pi if angle < -math.pi + TOLERANCE else angle


def _images(matrix: _Matrix) -> str | None:
    """Where conjugation takes X and Z, such as ``+Z+X``; None if one of them goes to no Pauli."""
    told = ""
    for pauli in (_PAULIS["X"], _PAULIS["Z"]):
        image = _times(_times(matrix, pauli), _adjoint(matrix))
        parts = {name: _trace(_times(each, image)).real / 2 for name, each in _PAULIS.items()}
        found = max(parts, key=lambda name: abs(parts[name]))
        if any(abs(part) > TOLERANCE for name, part in parts.items() if name != found):
            return None
        told += ("+" if parts[found] > 0 else "-") + found
    return told


def _times(left: _Matrix, right: _Matrix) -> _Matrix:
    a, b, c, d = left
    e, f, g, h = right
    return (a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h)


def _adjoint(matrix: _Matrix) -> _Matrix:
    a, b, c, d = (complex(entry).conjugate() for entry in matrix)
    return (a, c, b, d)


def _trace(matrix: _Matrix) -> complex:
    return matrix[0] + matrix[3]


@functools.cache
def _words() -> dict[str | None, _Word]:
    """The shortest product for each of the 24 (two are enough), in order of application."""
    found: dict[str | None, _Word] = {}
    for length in range(3):
        for word in itertools.product(_GENERATORS, repeat=length):
            matrix = functools.reduce(lambda one, name: _times(_GENERATORS[name], one), word, _ONE)
            found.setdefault(_images(matrix), word)
    return found

"""Binary quadratic models as text or JSON → the typed form of the wire.

Read are the two text formats of D-Wave's ``dimod``: what ``BinaryQuadraticModel.to_serializable()`` returns
(schema 3.0.0, documented in ``dimod``'s reference under that method), and the COOrdinate format of
``dimod.serialization.coo``: lines ``i j bias``, with ``i == j`` for linear biases.
"""

import math
import re
from typing import Any, Literal, NamedTuple

import msgspec

from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_wire.api import Label
from qfleet_wire.workload import QuadraticModel, VariableType

FIELD = "work.model"
VARIABLES = 100_000
"""Most variables of a model."""
LARGEST = 1e100
"""Largest bias: sums of such stay finite."""

_HEADER = re.compile(r"^\s*#.*?vartype[:=]\s*([-_.a-zA-Z0-9]+)")
_PLACE = re.compile(r"^(.*?)(?: - at `\$\.?([^`]*)`)?$", re.DOTALL)


class Model(NamedTuple):
    """A checked model, and the labels of its variables in order."""

    quadratic: QuadraticModel
    labels: tuple[Label, ...]


class _Serialized(msgspec.Struct):
    """What counts of ``to_serializable()``; the rest describes numpy arrays and may be there."""

    type: Literal["BinaryQuadraticModel"]
    variable_labels: tuple[Label, ...]
    variable_type: VariableType
    linear_biases: tuple[float, ...]
    quadratic_head: tuple[int, ...]
    quadratic_tail: tuple[int, ...]
    quadratic_biases: tuple[float, ...]
    offset: float = 0.0
    use_bytes: bool = False


def read(model: dict[str, Any] | str) -> Model:
    """Read a model in either format.

    Raises:
        RequestRefused: it cannot be read; with its field, or its line.
    """
    return _coordinates(model) if isinstance(model, str) else _serialized(model)


def labels(model: dict[str, Any] | str) -> tuple[Label, ...]:
    """Labels of a model that was read before."""
    if isinstance(model, str):
        return _coordinates(model).labels
    return msgspec.convert(model["variable_labels"], tuple[Label, ...])


def _serialized(fields: dict[str, Any]) -> Model:
    if fields.get("use_bytes"):
        hint = "serialize with to_serializable(use_bytes=False)"
        raise RequestRefused(f"{FIELD}.use_bytes", "is true, so its biases are bytes", hint)
    try:
        read = msgspec.convert(fields, _Serialized)
    except msgspec.ValidationError as error:
        raise _malformed(error) from None
    _check_lengths(read)
    pairs: dict[tuple[int, int], float] = {}
    for number, (head, tail) in enumerate(zip(read.quadratic_head, read.quadratic_tail, strict=True)):
        for name, index in (("head", head), ("tail", tail)):
            if not 0 <= index < len(read.linear_biases):
                hint = f"the model has variables 0 to {len(read.linear_biases) - 1}"
                raise RequestRefused(f"{FIELD}.quadratic_{name}[{number}]", f"is {index}", hint)
        if head == tail:
            hint = "a variable does not interact with itself: use its linear bias or the offset"
            raise RequestRefused(f"{FIELD}.quadratic_tail[{number}]", f"is {tail}, as its head", hint)
        _add(pairs, head, tail, read.quadratic_biases[number])
    return _checked(
        Model(_model(read.variable_type, read.linear_biases, pairs, read.offset), read.variable_labels)
    )


def _malformed(error: msgspec.ValidationError) -> RequestRefused:
    found = _PLACE.match(str(error))
    message, place = (found[1], found[2]) if found else (str(error), None)
    hint = "give what dimod's BinaryQuadraticModel.to_serializable() returns, or its COOrdinate text"
    return RequestRefused(f"{FIELD}.{place}" if place else FIELD, f"is no such model: {message}", hint)


def _check_lengths(read: _Serialized) -> None:
    for name, one, other, with_what in (
        ("variable_labels", read.variable_labels, read.linear_biases, "linear biases"),
        ("quadratic_head", read.quadratic_head, read.quadratic_biases, "quadratic biases"),
        ("quadratic_tail", read.quadratic_tail, read.quadratic_biases, "quadratic biases"),
    ):
        if len(one) != len(other):
            message = f"has {len(one)} entries for {len(other)} {with_what}"
            raise RequestRefused(f"{FIELD}.{name}", message, "make them equally many")
    if len(set(read.variable_labels)) != len(read.variable_labels):
        raise RequestRefused(f"{FIELD}.variable_labels", "name a variable twice", "give each its own label")


def _coordinates(text: str) -> Model:
    kind: VariableType | None = None
    linear: dict[int, float] = {}
    pairs: dict[tuple[int, int], float] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if header := _HEADER.match(line):
            kind = _header(number, header[1], kind)
        elif not words or words[0].startswith("#"):
            continue
        else:
            one, other, bias = _triplet(number, words)
            linear.setdefault(one, 0.0)
            linear.setdefault(other, 0.0)
            if one == other:
                linear[one] += bias
            else:
                _add(pairs, one, other, bias)
    if kind is None:
        hint = "begin with a line '# vartype=SPIN' or '# vartype=BINARY'"
        raise RequestRefused(FIELD, "does not say what its variables are", hint)
    names = sorted(linear)
    places = {name: place for place, name in enumerate(names)}
    placed = {(places[one], places[other]): bias for (one, other), bias in pairs.items()}
    return _checked(Model(_model(kind, tuple(linear[name] for name in names), placed, 0.0), tuple(names)))


def _header(number: int, word: str, before: VariableType | None) -> VariableType:
    kind: VariableType | None = {"SPIN": "SPIN", "BINARY": "BINARY"}.get(word)  # type: ignore[assignment] # mypy sees str
    if kind is None or before not in (None, kind):
        hint = "give 'SPIN' or 'BINARY', once"
        raise RequestRefused(FIELD, f"has the variable type {word!r} in line {number}", hint)
    return kind


def _triplet(number: int, words: list[str]) -> tuple[int, int, float]:
    try:
        one, other, bias = words
        read = int(one), int(other), float(bias)
    except ValueError:
        hint = "write two variable numbers and a bias, such as '0 1 -2.5'"
        raise RequestRefused(FIELD, f"has {' '.join(words)[:60]!r} in line {number}", hint) from None
    if min(read[:2]) < 0:
        raise RequestRefused(FIELD, f"numbers a variable {min(read[:2])} in line {number}", "count from 0")
    return read


def _add(pairs: dict[tuple[int, int], float], one: int, other: int, bias: float) -> None:
    """Biases of the same two variables add up, as in ``dimod``."""
    pair = (min(one, other), max(one, other))
    pairs[pair] = pairs.get(pair, 0.0) + bias


def _model(
    kind: VariableType, linear: tuple[float, ...], pairs: dict[tuple[int, int], float], offset: float
) -> QuadraticModel:
    ordered = sorted(pairs)
    return QuadraticModel(
        kind,
        linear,
        tuple(head for head, _ in ordered),
        tuple(tail for _, tail in ordered),
        tuple(pairs[pair] for pair in ordered),
        offset,
    )


def _checked(model: Model) -> Model:
    quadratic = model.quadratic
    if not model.labels:
        raise RequestRefused(FIELD, "has no variables", "give at least one")
    if len(model.labels) > VARIABLES:
        raise RequestRefused(FIELD, f"has {len(model.labels)} variables", f"give at most {VARIABLES}")
    for bias in (*quadratic.linear, *quadratic.biases, quadratic.offset):
        if not (math.isfinite(bias) and abs(bias) <= LARGEST):
            raise RequestRefused(FIELD, f"has the bias {bias}", f"give finite numbers up to {LARGEST:g}")
    return model

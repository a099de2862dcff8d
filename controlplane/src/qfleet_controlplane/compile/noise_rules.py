"""Rules of a noise model, checked one by one: which field is wrong, and what to do.

Gates have the names of the compiled form: base gates with a ``c`` for each control. Gates of a library that
stand for several (``rzz``, a gate of the program's own) have no name here; the rules of their parts hold.
"""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Final, get_args

from qfleet_controlplane.compile.errors import RequestRefused
from qfleet_wire import circuit, noise
from qfleet_wire.workload.noise import AfterGate, Channel, Misread, NoiseModel, OnQubit

_CHANNELS: Final[tuple[Channel, ...]] = get_args(Channel)
_BASE: Final = tuple(name for name in get_args(circuit.GateName) if name != "gphase")
_NAME: Final = re.compile(rf"(c*)({'|'.join(sorted(_BASE, key=len, reverse=True))})")
_ALIASES: Final = {
    "cnot": "cx",
    "toffoli": "ccx",
    "phase": "p",
    "cphase": "cp",
    "u1": "p",
    "cu1": "cp",
    "u3": "u",
    "cu3": "cu",
}
_KNOWN: Final = (*_BASE, *(f"c{name}" for name in _BASE), "ccx", *_ALIASES)
_ROUNDING: Final = 1e-9


class Checker:
    """Checks the rules of one model for a program of so many qubits.

    Args:
        where: what stands before the names of fields, such as ``noise``.
        qubits: the program's width.
        strict: whether a qubit that the program has not is an error; a profile may name more.
    """

    def __init__(self, where: str, qubits: int, *, strict: bool) -> None:
        self._where = where
        self._qubits = qubits
        self._strict = strict

    def model(self, asked: noise.Noise) -> NoiseModel:
        """Return the compiled form: what does nothing in this program is left out.

        Raises:
            RequestRefused: with the field that is wrong.
        """
        gates = [self._gate(f"{self._where}.gates[{n}]", rule) for n, rule in enumerate(asked.gates)]
        qubits = [self._on_qubit(f"{self._where}.qubits[{n}]", rule) for n, rule in enumerate(asked.qubits)]
        return NoiseModel(
            tuple(rule for rule in gates if rule is not None),
            tuple(rule for rule in qubits if rule is not None),
            self._readout(asked.readout),
        )

    def _gate(self, field: str, rule: noise.GateNoise) -> AfterGate | None:
        name, width = _gate_name(f"{field}.gate", rule.gate)
        channel = _channel(f"{field}.channel", rule.channel)
        _check_probability(f"{field}.probability", rule.probability)
        if rule.qubits and (len(rule.qubits) != width or len(set(rule.qubits)) != width):
            hint = f"{name} acts on {width}: give as many, all different, controls first"
            raise RequestRefused(f"{field}.qubits", f"are {list(rule.qubits)}", hint)
        inside = [self._inside(f"{field}.qubits[{n}]", qubit) for n, qubit in enumerate(rule.qubits)]
        return AfterGate(name, channel, rule.probability, rule.qubits) if all(inside) else None

    def _on_qubit(self, field: str, rule: noise.QubitNoise) -> OnQubit | None:
        channel = _channel(f"{field}.channel", rule.channel)
        _check_probability(f"{field}.probability", rule.probability)
        if not self._inside(f"{field}.qubit", rule.qubit) or not rule.probability:
            return None
        return OnQubit(rule.qubit, channel, rule.probability)

    def _readout(self, rules: Sequence[noise.ReadoutNoise]) -> tuple[Misread, ...]:
        own: dict[int | None, tuple[float, float]] = {}
        for number, rule in enumerate(rules):
            field = f"{self._where}.readout[{number}]"
            if rule.qubit in own:
                who = "all qubits" if rule.qubit is None else f"qubit {rule.qubit}"
                raise RequestRefused(field, f"is a second one for {who}", "leave one of them out")
            errors = _misread(f"{field}.probabilities", rule.probabilities)
            if rule.qubit is None or self._inside(f"{field}.qubit", rule.qubit):
                own[rule.qubit] = errors
        default = own.get(None, (0.0, 0.0))
        found = [(qubit, own.get(qubit, default)) for qubit in range(self._qubits)]
        return tuple(Misread(qubit, *errors) for qubit, errors in found if any(errors))

    def _inside(self, field: str, qubit: int) -> bool:
        if 0 <= qubit < self._qubits:
            return True
        if qubit < 0 or self._strict:
            hint = f"the program has qubits 0 to {self._qubits - 1}"
            raise RequestRefused(field, f"is {qubit}", hint)
        return False


def _gate_name(field: str, given: str) -> tuple[str, int]:
    """Return the compiled name of a gate and the number of qubits that it acts on."""
    name = _ALIASES.get(given.lower(), given.lower())
    parts = _NAME.fullmatch(name)
    if parts is None:
        close = get_close_matches(name, _KNOWN, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"base gates are {', '.join(_BASE)}"
        raise RequestRefused(field, f"is {given!r}, which is no gate", f"{hint}; a c stands for each control")
    return name, len(parts[1]) + circuit.GATE_QUBITS.get(parts[2], 1)


def _channel(field: str, given: str) -> Channel:
    for channel in _CHANNELS:
        if given == channel:
            return channel
    close = get_close_matches(given, _CHANNELS, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"channels are {', '.join(_CHANNELS)}"
    raise RequestRefused(field, f"is {given!r}, which is no channel", hint)


def _check_probability(field: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise RequestRefused(field, f"is {value}", "give a probability from 0 to 1")


def _misread(field: str, rows: Any) -> tuple[float, float]:
    """Check an assignment matrix; returns the probabilities to read 0 as 1, and 1 as 0."""
    if len(rows) != 2 or any(len(row) != 2 for row in rows):
        hint = "give two rows of two: [[P(0|0), P(1|0)], [P(0|1), P(1|1)]]"
        raise RequestRefused(field, f"has {len(rows)} rows of {[len(row) for row in rows]}", hint)
    for number, row in enumerate(rows):
        for place, value in enumerate(row):
            _check_probability(f"{field}[{number}][{place}]", value)
        if abs(sum(row) - 1) > _ROUNDING:
            hint = f"an outcome {number} is read as 0 or as 1: the row must sum to 1"
            raise RequestRefused(f"{field}[{number}]", f"sums to {sum(row):.9g}", hint)
    return rows[0][1], rows[1][0]

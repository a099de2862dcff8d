"""``integrated-information``: the φ-structure of a quantum mechanism beside its classical counterpart's.

The quantum side is the job ``iit.phi``: L. Albantakis, R. Prentner and I. Durham, Entropy 25, 449 (2023),
noise outside of a mechanism by equation 22, the quantum intrinsic difference by 28, φ by 31, the best purview
by 32 and 33.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qfleet import JobRequest, PhiRequest, PhiResultView
from qfleet_applications.cognition import bit_rules, classical_phi, mechanisms
from qfleet_applications.cognition.classical_phi import Direction, Units
from qfleet_applications.cognition.mechanisms import Gate
from qfleet_applications.frame.desk import Runner, expect
from qfleet_applications.frame.report import QUANTUM, Comparison, Figure, Measured, Report, Series, Table
from qfleet_applications.frame.versions import versions

_SAME = 1e-6
NOTES = (
    (
        "φ is a quantity that integrated information theory defines for a mechanism. This computes it "
        "as published: for quantum mechanisms by Albantakis, Prentner and Durham, Entropy 25, 449 (2023); "
        "for classical ones by Barbosa and others, Entropy 23, 362 (2021), with the partitions and the "
        "normalisation of IIT 4.0 (Albantakis and others, PLOS Comput. Biol. 19, e1011465 (2023)), "
        "whose own measure of causes can differ. It is φ of each mechanism with its best cause and its best "
        "effect; relations between them, and whether the system as a whole is one, are not computed."
    ),
    (
        "No claim about consciousness follows: the theory is disputed, its axioms are not tested by "
        "computing them, and gates of two or three qubits are no model of a brain. The quantum form is "
        "disputed too: there is a comment on it in Entropy 25, 1436 (2023)."
    ),
    (
        "A higher φ is not a better answer. What is compared is the time that either computation "
        "takes for the same question, and whether both agree where they must: on states and steps "
        "that are classical."
    ),
)

_Structure = Mapping[tuple[Direction, Units], tuple[Units, float]]


@dataclass(frozen=True)
class IntegratedStudy:
    """One mechanism in one state."""

    name: str
    gate: Gate
    state: str

    title = "Integrated information"

    @property
    def qubits(self) -> int:
        """The units of the mechanism."""
        return self.gate.units

    def requests(self) -> tuple[JobRequest, ...]:
        """One job. Raises ``InvalidProblem`` where the state is not one of the mechanism's."""
        mechanisms.check_state(self.gate, self.state)
        work = PhiRequest(program=self.gate.program, state=self.state)
        return (JobRequest(kind="iit.phi", name=f"phi of {self.name}", work=work, seed=0),)

    def conduct(self, desk: Runner) -> Report:
        """Compute both structures and put them beside each other."""
        systems = tuple(mechanisms.measured(self.gate, self.state))
        began = time.perf_counter()
        result = expect(desk.run(self.requests()[0], f"φ of {self.name}"), PhiResultView)
        took = time.perf_counter() - began
        began = time.perf_counter()
        structures = [classical_phi.structure(system) for system in systems]
        classical_took = time.perf_counter() - began
        return Report(
            pack="cognition",
            command="integrated-information",
            title=f"Integrated information of {self.name} in {self.state}",
            comparisons=(_pace(self.name, took, classical_took),) if structures else (),
            tables=(_table(result, structures), _totals(result, structures)),
            figures=(_figure(self.name, result, structures),),
            notes=(*NOTES, self._counterpart(result, structures)),
            settings={"mechanism": self.name, "state": self.state, "program": self.gate.program},
            versions=versions("numpy"),
        )

    def _counterpart(self, result: PhiResultView, structures: Sequence[_Structure]) -> str:
        if not structures:
            gates = ", ".join(bit_rules.GATES)
            return (
                f"{self.name} has no classical figures: its program is not made of gates that only move "
                f"and flip bits ({gates}, each on named qubits of one register), so no rule of bits "
                "stands for it."
            )
        if len(structures) > 1:
            outcomes = f"{len(structures)} outcomes of measuring the state first"
            return f"The classical figures are means over the {outcomes}."
        worst = max(
            abs(one.phi - structures[0][one.direction, one.mechanism][1]) for one in result.distinctions
        )
        agree = "agree" if worst < _SAME else "do NOT agree"
        return (
            f"State and step are classical here: both theories must agree, and they {agree} (to {worst:.1g})."
        )


def _pace(name: str, took: float, classical_took: float) -> Comparison:
    return Comparison(
        f"φ-structure of {name}",
        "time",
        "s",
        "lower",
        Measured("quantum IIT", took, took, took, took, kind=QUANTUM),
        Measured("classical IIT", classical_took, classical_took, classical_took, classical_took),
        "one run each",
    )


def _mean(structures: Sequence[_Structure], direction: Direction, mechanism: Units) -> float | None:
    if not structures:
        return None
    return math.fsum(one[direction, mechanism][1] for one in structures) / len(structures)


def _table(result: PhiResultView, structures: Sequence[_Structure]) -> Table:
    rows = []
    for one in result.distinctions:
        mean = _mean(structures, one.direction, one.mechanism)
        rows.append((
            one.direction,
            _letters(one.mechanism),
            _letters(one.purview) if one.phi else "none",
            round(one.phi, 6),
            None if mean is None else round(mean, 6),
        ))  # fmt: skip
    columns = ("direction", "mechanism", "purview", "φ, quantum (bits)", "φ, classical (bits)")
    return Table("φ-structure", columns, tuple(rows))


def _totals(result: PhiResultView, structures: Sequence[_Structure]) -> Table:
    rows = []
    directions: tuple[Direction, ...] = ("cause", "effect")
    for direction in directions:
        chosen = [one for one in result.distinctions if one.direction == direction]
        classical = [_mean(structures, direction, one.mechanism) for one in chosen]
        total = math.fsum(value for value in classical if value is not None) if structures else None
        rows.append((direction, round(math.fsum(one.phi for one in chosen), 6), total))
    return Table("Sum over mechanisms", ("direction", "quantum (bits)", "classical (bits)"), tuple(rows))


def _figure(name: str, result: PhiResultView, structures: Sequence[_Structure]) -> Figure:
    places = tuple(float(place) for place in range(len(result.distinctions)))
    names = tuple(f"{one.direction} {_letters(one.mechanism)}" for one in result.distinctions)
    series = [Series("quantum", places, tuple(one.phi for one in result.distinctions), style="bars")]
    if structures:
        means = tuple(_mean(structures, one.direction, one.mechanism) or 0.0 for one in result.distinctions)
        series.append(Series("classical", places, means, style="bars"))
    return Figure("structure", f"φ-structure of {name}", "mechanism", "φ in bits", tuple(series), names)


def _letters(units: Units) -> str:
    return "".join("ABC"[unit] for unit in units)

"""A program whose gradient is asked → a program whose angles can be shifted one at a time.

Two parameters are added: the number of an angle, and what is added to it. So a gradient is a batch of
ordinary parameter points, and devices know nothing of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import isfinite

from qfleet_controlplane.compile import derivatives, shifts, typed
from qfleet_controlplane.compile.errors import ProgramRefused, RequestRefused, a_job
from qfleet_controlplane.compile.interface import Input
from qfleet_controlplane.compile.places import Places
from qfleet_wire import api, circuit, circuit_facts
from qfleet_wire.circuit import Binary, Constant, Expression, Gate, Parameter
from qfleet_wire.limits import LIMITS

Points = tuple[tuple[float, ...], ...]
_ADDED = ("shifted angle", "shift")


def gradient_inputs(request: api.JobRequest, declared: Sequence[Input]) -> tuple[str, ...]:
    """Inputs to differentiate by; none where no gradient is asked.

    Raises:
        RequestRefused: one is no input of the program, or no real number.
    """
    if not request.gradient:
        return ()
    if request.kind != "circuit.expect":
        hint = "ask for circuit.expect with observables"
        raise RequestRefused("gradient", f"is asked of {a_job(request.kind)}", hint)
    if request.noise is not None:
        raise RequestRefused("gradient", "is asked of a noisy program", "leave the noise out")
    real = tuple(each.name for each in declared if each.sweepable)
    if isinstance(request.gradient, bool):
        if not real:
            hint = "declare what to differentiate by: input float theta;"
            raise RequestRefused("gradient", "is asked of a program without inputs", hint)
        return real
    names = {each.name for each in declared}
    for number, name in enumerate(request.gradient):
        field = f"gradient[{number}]"
        if name not in names:
            close = get_close_matches(name, sorted(names), n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"its inputs are {', '.join(sorted(names))}"
            raise RequestRefused(field, f"is {name!r}, which is no input of the program", hint)
        if name not in real:
            raise RequestRefused(
                field, f"is {name!r}, which is no real number", "declare it as float or angle"
            )
        if (first := request.gradient.index(name)) != number:
            raise RequestRefused(field, f"is {name!r}, as is gradient[{first}]", "name each input once")
    return request.gradient


@dataclass(slots=True)
class _Differentiated:
    """A program on the way: its angles that are shifted so far."""

    parameters: tuple[int, ...]
    places: Places
    width: int
    found: list[shifts.Shift]

    def gate(self, gate: Gate) -> Gate:
        """Let the gate's angles be shifted where they depend on an input."""
        arguments = tuple(self._argument(gate, number) for number in range(len(gate.arguments)))
        changed = Gate(gate.name, gate.qubits, arguments, gate.controls, gate.power)
        self.places.follow(changed, gate)
        return changed

    def _argument(self, gate: Gate, number: int) -> Expression:
        angle = gate.arguments[number]
        terms = shifts.rule_of(gate, number)
        slopes = self._slopes(gate, angle) if terms else ()
        if not any(slope is not None for slope in slopes):
            return angle
        if gate.power != 1:
            hint = "write the gate out, or multiply its angle"
            raise self.refused(gate, f"pow({gate.power:g}) of {gate.name} has no shift rule", hint)
        if typed.extent(angle)[0] > LIMITS.program_depth - 4:
            raise self.refused(
                gate, "an angle is nested too deeply to be shifted", "use a simpler expression"
            )
        chosen = Binary("==", Parameter(self.width), Constant(float(len(self.found))))
        self.found.append(shifts.Shift(terms, slopes))
        return Binary("+", angle, Binary("*", Parameter(self.width + 1), chosen))

    def _slopes(self, gate: Gate, angle: Expression) -> tuple[Expression | None, ...]:
        try:
            return tuple(derivatives.derivative(angle, parameter) for parameter in self.parameters)
        except derivatives.NotDifferentiable as error:
            hint = "angles may use + - * / ** and sin, cos, tan, arcsin, arccos, arctan, exp, log, sqrt"
            raise self.refused(gate, f"an angle of {gate.name} has no derivative: {error}", hint) from None

    def refused(self, statement: circuit.Statement, message: str, hint: str) -> ProgramRefused:
        """The refusal of a program at the place of one of its statements."""
        line, column = self.places.of(statement) or (1, 1)
        return ProgramRefused(message, line, column, hint)


def shifted_program(
    program: circuit.Program, inputs: Sequence[str], points: Points, places: Places
) -> tuple[circuit.Program, Points, shifts.Recipe]:
    """The program with angles that can be shifted, the points to evaluate it at, and what they make.

    Raises:
        ProgramRefused: it is not static, or an angle has no rule or no derivative; with the place.
        RequestRefused: there are too many evaluations, or a derivative is infinite at a point.
    """
    work = _Differentiated(tuple(map(program.parameters.index, inputs)), places, len(program.parameters), [])
    obstacle = circuit_facts.first_dynamic(program)
    if obstacle is not None:
        hint = "gradients are for a unitary program, with measurements at its end or none"
        raise work.refused(obstacle, "outcomes or stored values steer the program from here on", hint)
    body = tuple(work.gate(each) if isinstance(each, Gate) else each for each in program.body)
    recipe = shifts.Recipe(tuple(inputs), tuple(work.found))
    _check(recipe, points)
    changed = circuit.Program(program.qubits, program.slots, (*program.parameters, *_ADDED), body)
    return changed, tuple(each for point in points for each in shifts.points(recipe, point)), recipe


def _check(recipe: shifts.Recipe, points: Points) -> None:
    total = len(points) * recipe.evaluations
    if total > LIMITS.items:
        hint = f"at most {LIMITS.items:,}: ask for fewer points or inputs"
        raise RequestRefused("gradient", f"takes {total:,} evaluations", hint)
    for number, point in enumerate(points):
        for slopes in shifts.slopes(recipe, point):
            if not all(map(isfinite, slopes)):
                hint = "move the point away from where an angle's expression has no slope"
                raise RequestRefused(f"parameters[{number}]", "gives an angle no finite derivative", hint)

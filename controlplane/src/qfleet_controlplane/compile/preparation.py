"""Programs that are gates alone: they prepare a state, or stand for a unitary."""

from collections.abc import Mapping

from qfleet_controlplane.compile import program
from qfleet_controlplane.compile.errors import ProgramRefused, RequestRefused
from qfleet_wire import circuit, circuit_facts


def prepared(field: str, text: str, parameters: Mapping[str, float]) -> circuit.Program:
    """Compile a program whose inputs have the values of ``parameters``.

    Raises:
        RequestRefused: it is empty, or an input has no value, or a value no input.
        ProgramRefused: it cannot run, or is not gates alone; with its place where it has one.
    """
    if not text.strip():
        raise RequestRefused(field, "is empty", "give OpenQASM 2 or 3 text")
    try:
        return _compiled(field, text, parameters)
    except ProgramRefused as error:
        # A job has several programs: say which.
        raise ProgramRefused(f"{field}: {error.message}", error.line, error.column, error.hint) from None


def _compiled(field: str, text: str, parameters: Mapping[str, float]) -> circuit.Program:
    inputs = {each.name for each in program.inputs_of(text)}
    if inputs != parameters.keys():
        listed = ", ".join(sorted(inputs ^ parameters.keys()))
        hint = (
            "give each input of the program a value, and nothing else" if inputs else "it declares no input"
        )
        raise RequestRefused(field, f"does not fit its parameters: {listed}", hint)
    compiled = program.compile_program(text, bindings=parameters)
    if circuit_facts.split_static(compiled) is None or not all(
        isinstance(each, circuit.Gate) for each in compiled.body
    ):
        raise ProgramRefused("measures, resets or branches", hint="it must be made of gates alone")
    return compiled

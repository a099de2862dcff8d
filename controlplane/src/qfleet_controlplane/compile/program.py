"""OpenQASM 2 or 3 text → ``circuit.Program``: the entry to the compiler.

A program is checked and compiled as a whole or refused with a place in its text; the result
runs as it is. Angles, integers and phases follow the specification; ``docs/openqasm.md`` tells
what is supported.
"""

from collections.abc import Mapping, Sequence

from openqasm import ast

from qfleet_controlplane.compile import calls, interface, library, pruning, source, statements
from qfleet_controlplane.compile.context import Context, Flow
from qfleet_controlplane.compile.errors import ProgramRefused, refuse
from qfleet_controlplane.compile.interface import Input
from qfleet_controlplane.compile.places import Places
from qfleet_controlplane.compile.scopes import Scope
from qfleet_wire import circuit

_NESTED = "nested too deeply"


def inputs_of(text: str) -> tuple[Input, ...]:
    """The inputs that a program declares, in order, with their types.

    Raises:
        ProgramRefused: the program is not valid.
    """
    return interface.inputs(source.load(text).tree)


def compile_program(
    text: str, *, bindings: Mapping[str, float] | None = None, swept: Sequence[str] = ()
) -> circuit.Program:
    """Compile a program.

    ``bindings`` gives inputs their values (angles in radians); inputs named in ``swept`` become
    the entries of the parameter vector, in that order.

    Raises:
        ProgramRefused: the program is not valid, not supported, or too large.
    """
    return compile_source(source.load(text), bindings=bindings or {}, swept=swept)


def compile_source(
    loaded: source.Source,
    *,
    bindings: Mapping[str, float],
    swept: Sequence[str],
    places: Places | None = None,
) -> circuit.Program:
    """Compile a program that is already parsed and checked; ``places`` learns where its statements stand.

    Raises:
        ProgramRefused: the program is not supported, or too large.
    """
    tree = loaded.tree
    context = _context(loaded)
    context.places = places or context.places
    context.inputs = interface.bound(interface.inputs(tree), bindings, swept)
    try:
        _run(context, tree)
    except RecursionError:
        place = tree.statements[context.top] if tree.statements else tree
        raise refuse(place, _NESTED, "split the expression or block into smaller ones") from None
    if not context.qubits:
        raise ProgramRefused("the program declares no qubits", hint="declare some: qubit[2] q;")
    for slot in context.returned:
        held = context.slots[slot]
        context.slots[slot] = circuit.Slot(held.name, held.type, held.initial, output=True)
    body, slots = pruning.prune(tuple(context.block), context.slots)
    return circuit.Program(context.qubits, slots, tuple(swept), body)


def _context(loaded: source.Source) -> Context:
    built_in = library.BUILT_IN_LEGACY if loaded.legacy else library.BUILT_IN
    context = Context(
        legacy=loaded.legacy,
        scope=Scope(names=dict(built_in)),
        run=statements.run,
        call=calls.call,
    )
    context.declares_outputs = any(
        isinstance(each, ast.IODeclaration) and each.io is ast.IOKeyword.OUTPUT
        for each in loaded.tree.statements
    )
    return context


def _run(context: Context, tree: ast.Program) -> None:
    for place, statement in enumerate(tree.statements):
        context.top = place
        if statements.run(context, (statement,)) is Flow.END:
            if context.block and isinstance(context.block[-1], circuit.End):
                context.block.pop()
            return

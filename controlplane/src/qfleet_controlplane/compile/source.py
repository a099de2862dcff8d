"""Text of a program → its checked tree, or a refusal with line and column.

Parsing and semantic analysis are the ``openqasm`` package's; this module guards them (it never
lets a program name a file to read, nor exhaust the stack or the processor) and turns their
errors into refusals with hints. It decides nothing about what can run.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

import openqasm
from openqasm import ast

from qfleet_controlplane.compile import library, magnitudes
from qfleet_controlplane.compile.errors import ProgramRefused, refuse

SOURCE_BYTES = 2 * 1024 * 1024
"""Longest program text."""

_KEPT_CHARACTERS = 8 * 1024
_KEPT = 16
"""Short texts whose trees are kept: some 30 MB at most."""

LIBRARIES = frozenset({"stdgates.inc", "qelib1.inc"})

_LONG_NUMBER = re.compile(r"[0-9][0-9_]{300,}")
_UNDEFINED = re.compile(r"undefined (?:identifier|gate) '([^']+)'")
_CLASH = re.compile(r"first declared at (stdgates\.inc|qelib1\.inc):")
_NESTED = "nested too deeply"
_FLATTEN = "split the expression or block into smaller ones"


@dataclass(frozen=True, slots=True)
class Source:
    """A program that is valid OpenQASM. ``legacy`` marks OpenQASM 2."""

    tree: ast.Program
    legacy: bool


def load(text: str) -> Source:
    """Parse and check a program.

    Reading takes three quarters of compiling, and people send a program again and again with other values, so
    the latest short ones are kept. Whoever gets a tree only reads it: others hold the same one.

    Raises:
        ProgramRefused: the text is not a valid OpenQASM 2 or 3 program, or exceeds a limit.
    """
    return _kept(text) if len(text) <= _KEPT_CHARACTERS else _read(text)


def _read(text: str) -> Source:
    tree = _parse(text)
    for statement in tree.statements:
        if isinstance(statement, ast.Include) and statement.filename not in LIBRARIES:
            raise refuse(
                statement,
                f"cannot include '{statement.filename}'",
                f"only {' and '.join(sorted(LIBRARIES))} are available; paste other files into the program",
            )
    magnitudes.check(tree, text)
    analysis = _analyse(tree)
    if analysis.errors:
        raise _refusal(analysis.errors[0], (symbol.name for symbol in analysis.globals), tree)
    return Source(tree, legacy=(tree.version or "").startswith("2"))


_kept = lru_cache(maxsize=_KEPT)(_read)


def _parse(text: str) -> ast.Program:
    if len(text) > SOURCE_BYTES:
        raise ProgramRefused(
            f"the program has {len(text)} characters", hint=f"at most {SOURCE_BYTES} are accepted"
        )
    if not text.strip():
        raise ProgramRefused("the program is empty", hint="give OpenQASM 2 or 3 text")
    long = _LONG_NUMBER.search(text)
    if long is not None:
        raise ProgramRefused("number with too many digits", *_place(text, long.start()))
    try:
        return openqasm.parse(text)
    except openqasm.QasmError as error:
        raise _refusal(error) from None
    except RecursionError:
        raise ProgramRefused(_NESTED, *_place(text, _deepest(text)), _FLATTEN) from None


def _analyse(tree: ast.Program) -> openqasm.Analysis:
    try:
        return openqasm.analyze(tree)
    except (RecursionError, ArithmeticError, ValueError) as error:
        culprit = _first_failing(tree)
        if isinstance(error, RecursionError):
            raise refuse(culprit, _NESTED, _FLATTEN) from None
        raise refuse(culprit, f"a constant here cannot be evaluated: {error}") from None


def _first_failing(tree: ast.Program) -> ast.Node:
    """The first top-level statement whose analysis fails, found by bisection."""
    good, bad = 0, len(tree.statements)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            openqasm.analyze(ast.Program(tree.statements[:middle], tree.version))
        except (RecursionError, ArithmeticError, ValueError):
            bad = middle
        else:
            good = middle
    return tree.statements[good]


def _refusal(
    error: openqasm.QasmError, names: Iterable[str] = (), tree: ast.Program | None = None
) -> ProgramRefused:
    undefined = _UNDEFINED.match(error.message)
    hint = _spelling(undefined.group(1), names, tree) if undefined and tree else ""
    clash = _CLASH.search(error.message)
    if clash is not None:
        hint = f"it is a gate of {clash.group(1)}; choose another name"
    if isinstance(error, openqasm.UnsupportedVersionError):
        hint = "write OPENQASM 2.0, 3.0 or 3.1"
    return ProgramRefused(error.message, error.line or 1, (error.column or 0) + 1, hint)


def _spelling(name: str, names: Iterable[str], tree: ast.Program) -> str:
    legacy = (tree.version or "").startswith("2")
    wanted = "qelib1.inc" if legacy else "stdgates.inc"
    included = {node.filename for node in tree.statements if isinstance(node, ast.Include)}
    if wanted not in included and name in library.names(wanted):
        return f'add include "{wanted}";'
    if not legacy and name in library.names("qelib1.inc"):
        return f"'{name}' is no gate of OpenQASM 3's stdgates.inc; define it with 'gate {name} …'"
    close = get_close_matches(name, list(names), n=1)
    return f"did you mean '{close[0]}'?" if close else "declare it before use"


def _place(text: str, offset: int) -> tuple[int, int]:
    line = text.count("\n", 0, offset) + 1
    return line, offset - (text.rfind("\n", 0, offset) + 1) + 1


def _deepest(text: str) -> int:
    depth = deepest = place = 0
    for offset, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if depth > deepest:
            deepest, place = depth, offset
    return place

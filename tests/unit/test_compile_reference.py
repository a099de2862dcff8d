"""The parser against the reference implementation of the grammar: same texts in, same verdicts.

OpenQASM 2 is left out, for the reference knows version 3 only.
"""

import re

import openqasm
import pytest
from tests.unit import compile_corpus

openqasm3 = pytest.importorskip("openqasm3")
pytest.importorskip("antlr4")

PROGRAMS = [case for case in compile_corpus.outcomes() if "OPENQASM 2" not in case.program]
SYNTAX = [
    "qubit[2] q", "qubit[2] q;;", "h q[0] q[1];", "if (true) { x q; ", "for i in [0:2] { x q; }",
    "gate g() a { }", "gate g(x) { }", "bit[2] c = measure;", "measure q -> ;", "reset;", "rx() q;",
    "ctrl @ @ x q;", "inv x q;", "let a = ;", "int[8] x = 3 +;", "x = ;", "return;", "break;", "continue;",
    "switch (i) { }", "switch (i) { case 0 { } default { } default { } }", "while (true) x q;",
    "def f(qubit q) -> bit { return measure q; }", "def f() { qubit q; }", "const int n;", "input float;",
    "output bit[2] c;", "array[int, 2] a = {1, 2};", "array[int[8], 2, 3] a;", "delay[3ns] q;", "delay q;",
    "barrier;", "box { }", "gphase(pi);", "gphase pi;", "U(0, 0, 0) q;", "$0;", "x $0;", 'bit c = "012";',
    'bit[3] c = "010";', "int x = 0xFF; int y = 0b11; int z = 0o7;", "float y = 1e3; float z = .5;",
    "int x = 1__0;", "a ** b ** c;", "-a[0];", "!a && b || c;", "f(a)(b);", "a[0][1];", "a[0:1, 2];",
    "pragma hello\nqubit q;", "@note here\nqubit q;", "/* open", "// only a comment\nqubit q;", "#dim = 1;",
    "let a = q[{0, 1}] ++ r;", "complex[float] z = 1im;", "duration d = 10 ns;",
    "x q[0], ;", "cx q[0],, q[1];",
]  # fmt: skip


def accepted_here(text: str) -> bool:
    try:
        openqasm.parse(text)
    except openqasm.QasmError:
        return False
    return True


def accepted_there(text: str) -> bool:
    try:
        openqasm3.parse(text)
    except openqasm3.parser.QASM3ParsingError:
        return False
    return True


@pytest.mark.parametrize("case", PROGRAMS, ids=[case.name for case in PROGRAMS])
def test_both_accept_the_corpus(case: compile_corpus.Case) -> None:
    assert accepted_here(case.program)
    assert accepted_there(case.program)


@pytest.mark.parametrize("text", SYNTAX)
def test_both_agree_on_single_statements(text: str) -> None:
    assert accepted_here(text) == accepted_there(text)


@pytest.mark.parametrize("case", PROGRAMS[::3], ids=[case.name for case in PROGRAMS[::3]])
def test_both_agree_when_a_token_is_missing(case: compile_corpus.Case) -> None:
    body = case.program.removeprefix(compile_corpus.HEAD)
    tokens = list(re.finditer(r"\w+|[^\s\w]", body))
    for token in tokens[:: max(1, len(tokens) // 6)]:
        text = body[: token.start()] + body[token.end() :]
        assert accepted_here(text) == accepted_there(text), text

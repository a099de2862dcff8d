"""A program's tree is kept and read again: what it compiles to must not depend on what came before."""

import copy

import openqasm
import pytest
from openqasm import ast

from qfleet_controlplane.compile import program, source
from qfleet_controlplane.compile.errors import ProgramRefused

TEXT = """OPENQASM 3.0;
include "stdgates.inc";
input float a;
const int n = 3;
qubit[n] q;
bit[n] c;
gate turn(x) p, r { rz(x) p; cx p, r; }
def flip(qubit t) { x t; }
for int i in [0:n - 2] { turn(2 * a) q[i], q[i + 1]; ctrl @ ry(a) q[i], q[i + 1]; }
c[0] = measure q[0];
if (c[0]) { flip(q[1]); }
c = measure q;
"""


def test_compiling_leaves_a_kept_tree_as_it_was() -> None:
    kept = source.load(TEXT)
    before = copy.deepcopy(kept.tree)
    first = program.compile_program(TEXT, bindings={"a": 0.5})
    program.compile_program(TEXT, bindings={"a": 1.25})
    program.compile_program(TEXT, swept=("a",))

    assert source.load(TEXT) is kept
    assert kept.tree == before
    assert program.compile_program(TEXT, bindings={"a": 0.5}) == first
    assert program.compile_program(TEXT + "// read anew", bindings={"a": 0.5}) == first


def test_a_kept_program_takes_each_value_anew() -> None:
    compiled = [program.compile_program(TEXT, bindings={"a": angle}) for angle in (0.5, 1.25)]

    assert compiled[0] != compiled[1]


def test_a_refusal_comes_again_with_its_place() -> None:
    told = []
    for _ in range(2):
        with pytest.raises(ProgramRefused) as refused:
            source.load("OPENQASM 3.0;\nqubit q;\nhh q;\n")
        told.append((refused.value.message, refused.value.line, refused.value.column))

    assert told[0] == told[1]
    assert told[0][1] == 3


def test_a_text_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    parse = openqasm.parse

    def counted(text: str) -> ast.Program:
        parsed.append(text)
        return parse(text)

    monkeypatch.setattr(openqasm, "parse", counted)
    text = TEXT + "// its own text\n"
    for _ in range(20):
        program.compile_program(text, bindings={"a": 0.5})
    long = TEXT + "// too long to be kept\n" * 1_000
    for _ in range(2):
        source.load(long)

    assert parsed == [text, long, long]

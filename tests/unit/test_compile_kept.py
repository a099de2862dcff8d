"""A program's tree is kept and read again: what it compiles to must not depend on what came before."""

import copy

import openqasm
import pytest
from openqasm import ast

from qfleet_controlplane.compile import job, program, recent, source
from qfleet_controlplane.compile.errors import ProgramRefused
from qfleet_controlplane.service import submission
from qfleet_wire import api, codec, program_load

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


def asked(*angles: float, text: str = TEXT, **more: object) -> api.JobRequest:
    points = tuple({"a": angle} for angle in angles)
    fields = {"kind": "circuit.sample", "program": text, "shots": 10, "parameters": points} | more
    return api.JobRequest(**fields)  # type: ignore[arg-type] # by name


def test_a_program_is_compiled_once_for_all_its_points_and_anew_for_other_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[object] = []
    compile_source = program.compile_source

    def counted(*args: object, **more: object) -> object:
        made.append(args)
        return compile_source(*args, **more)  # type: ignore[arg-type] # as it was called

    monkeypatch.setattr(program, "compile_source", counted)
    monkeypatch.setattr(recent, "_programs", recent.Recent())
    first = job.compile_job(asked(0.1, 0.2))
    assert job.compile_job(asked(0.3, 0.4, shots=7)).program == first.program
    assert len(made) == 1
    bound = [job.compile_job(asked(angle)).program for angle in (0.5, 1.25, 0.5)]
    assert bound[0] == bound[2] != bound[1]
    assert len(made) == 3
    job.compile_job(asked(0.1, 0.2, text=TEXT + "// another"))
    assert len(made) == 4


def test_zeros_of_both_signs_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "_programs", recent.Recent())
    text = "OPENQASM 3.0;\ninput float a;\nqubit q;\nbit c;\nU(a, 0, 0) q;\nc = measure q;\n"
    for angles in ((0.0, -0.0), (-0.0, 0.0)):
        for angle in angles:
            made = job.compile_job(asked(angle, text=text)).program
            assert made is not None
            assert codec.encode(made) == codec.encode(program.compile_program(text, bindings={"a": angle}))


def test_a_kept_program_is_refused_with_its_place_again() -> None:
    text = "OPENQASM 3.0;\nqubit[2] q;\nbit[2] c;\nU(0.3, 0, 0) q[0];\nc = measure q;\n"
    obstacles = [job.compile_job(asked(text=text)).obstacle for _ in range(2)]
    assert obstacles[0] is not None
    assert obstacles[0] == obstacles[1]


def test_what_is_large_or_was_asked_for_long_ago_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    few: recent.Recent[int] = recent.Recent(2)
    for key in "ab":
        few.put(key, ord(key))
    assert few.get("a") == ord("a")
    few.put("c", ord("c"))
    assert [few.get(key) for key in "abc"] == [ord("a"), None, ord("c")]

    kept: recent.Recent[recent.Compiled] = recent.Recent()
    monkeypatch.setattr(recent, "_programs", kept)
    monkeypatch.setattr(recent, "MOST_BYTES", 10)
    swept = (TEXT, (), ("a",))
    job.compile_job(asked(0.1, 0.2))
    assert kept.get(swept) is None
    monkeypatch.undo()
    monkeypatch.setattr(recent, "_programs", kept)
    job.compile_job(asked(0.1, 0.2))
    assert kept.get(swept) is not None


def test_a_kept_load_is_that_of_its_program_and_shots() -> None:
    for shots in (1, 3000, 1):
        specified = submission.specify(asked(0.1, 0.2, shots=shots), seed=1)
        made = program.compile_program(TEXT, swept=("a",))
        assert specified.load == program_load.of_program(made, shots)

"""Programs in the documentation, in the demo and in the packs: compiled, or refused where they say."""

import re
from pathlib import Path

import pytest

from qfleet.demo import exercises
from qfleet_applications import maxcut
from qfleet_applications.graphs import Graph
from qfleet_controlplane.compile.errors import ProgramRefused
from qfleet_controlplane.compile.job import compile_job
from qfleet_wire import api

PAGE = Path(__file__).parents[2] / "docs" / "programs.md"
BLOCKS = re.findall(r"```qasm(?: refused=(\d+):(\d+))?\n(.*?)```", PAGE.read_text(), re.DOTALL)
INPUT = re.compile(r"^input \w+ (\w+);", re.MULTILINE)


def request(program: str) -> api.JobRequest:
    """A job for a program of the documentation, at two points if it has inputs; sampled where it measures."""
    inputs = INPUT.findall(program)
    points = (dict.fromkeys(inputs, 0.5), dict.fromkeys(inputs, 1.5)) if inputs else ()
    if "measure" in program:
        return api.JobRequest(kind="circuit.sample", program=program, shots=10, parameters=points)
    observables = ("Z0 Z1", "0.5*X0 X1 - 0.5*Y0 Y1")
    return api.JobRequest(kind="circuit.expect", program=program, observables=observables, parameters=points)


def test_the_page_has_programs_of_both_kinds() -> None:
    assert sum(not line for line, _, _ in BLOCKS) >= 5
    assert sum(bool(line) for line, _, _ in BLOCKS) >= 4


@pytest.mark.parametrize("program", [text for line, _, text in BLOCKS if not line])
def test_programs_of_the_documentation_compile(program: str) -> None:
    assert compile_job(request(program)).program is not None


@pytest.mark.parametrize(("line", "column", "program"), [block for block in BLOCKS if block[0]])
def test_refused_programs_of_the_documentation_are_refused_there(
    line: str, column: str, program: str
) -> None:
    with pytest.raises(ProgramRefused) as refused:
        compile_job(request(program))
    assert (refused.value.line, refused.value.column) == (int(line), int(column))
    assert refused.value.message


@pytest.mark.parametrize("exercise", exercises.all_of_them(), ids=lambda exercise: exercise.request.name)
def test_programs_of_the_demo_compile(exercise: exercises.Exercise) -> None:
    compiled = compile_job(exercise.request)
    assert compiled.program is not None
    assert compiled.program.qubits == {"ghz": 3, "cat-by-fusion": 12, "qaoa-ring": 20}[exercise.request.name]


@pytest.mark.parametrize("measured", [True, False])
def test_programs_of_the_pack_compile(measured: bool) -> None:  # noqa: FBT001 – a parametrised value
    graph = Graph(3, ((0, 1, 1.0), (1, 2, -2e-7)))
    compiled = compile_job(
        request(maxcut.program(graph, measured=measured)),
    )
    assert compiled.program is not None
    assert compiled.program.parameters == ("gamma", "beta")

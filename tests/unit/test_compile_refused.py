"""What is refused, with the place in the text and what to do."""

import pytest
from tests.unit import compile_corpus

from qfleet_controlplane.compile.errors import ProgramRefused
from qfleet_controlplane.compile.program import compile_program

CASES = compile_corpus.refused()


def swept(program: str) -> tuple[str, ...]:
    return ("theta",) if "pow(theta)" in program else ()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_refusals_say_what_where_and_what_to_do(case: compile_corpus.Case) -> None:
    with pytest.raises(ProgramRefused) as caught:
        compile_program(case.program, swept=swept(case.program))
    refusal = caught.value
    assert case.facts["says"] in refusal.message
    assert f"{refusal.line}:{refusal.column}".startswith(case.facts["at"])
    assert case.facts.get("hint", "") in refusal.hint
    lines = case.program.split("\n")
    assert 1 <= refusal.line <= len(lines)
    assert 1 <= refusal.column <= len(lines[refusal.line - 1]) + 1


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 40
    assert len({case.name for case in CASES}) == len(CASES)

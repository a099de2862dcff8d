"""The corpus of programs in ``tests/vectors/compile``: cases with facts, then a program."""

import re
from dataclasses import dataclass
from pathlib import Path

HEAD = 'OPENQASM 3.1;\ninclude "stdgates.inc";\n'
FOLDER = Path(__file__).parent.parent / "vectors" / "compile"


@dataclass(frozen=True)
class Case:
    """``facts`` are the lines ``key = value`` before the program."""

    name: str
    facts: dict[str, str]
    program: str


def _cases(file: str, head: str) -> list[Case]:
    _, *sections = re.split("^=== ", (FOLDER / file).read_text(encoding="utf-8"), flags=re.MULTILINE)
    cases = []
    for section in sections:
        header, _, program = section.partition("\n---\n")
        name, *lines = header.splitlines()
        parts = [line.partition(" = ") for line in lines]
        facts = {key: value for key, _, value in parts}
        program = program.rstrip("\n") + "\n"
        cases.append(Case(name, facts, program if program.startswith("OPENQASM") else head + program))
    return cases


def outcomes() -> list[Case]:
    """Programs with the probabilities of their outcomes."""
    return _cases("outcomes.txt", HEAD)


def refused() -> list[Case]:
    """Programs that are refused: ``at`` is line:column, ``says`` and ``hint`` parts of the message."""
    return _cases("refused.txt", "")

"""The guide's limits are the code's."""

import re
from pathlib import Path

from qfleet_controlplane.compile import assignments, compiled, context, loops

GUIDE = (Path(__file__).parents[2] / "docs" / "openqasm.md").read_text(encoding="utf-8")


def test_the_limits_in_the_guide_are_those_of_the_compiler() -> None:
    numbers = {int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", GUIDE)}
    limits = {loops.PASSES, context.STATEMENTS, assignments.ELEMENTS, compiled.PROGRAM_BYTES // 2**20}
    assert limits <= numbers

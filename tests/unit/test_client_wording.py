"""One thing is spoken of as one thing."""

import pytest

from qfleet import errors, wording


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0 results"), (1, "1 result"), (2, "2 results"), (1024, "1,024 results")]
)
def test_numbers_of_things(number: int, told: str) -> None:
    assert wording.counted(number, "result") == told


def test_one_finding_is_not_right_and_several_are_not() -> None:
    assert "1 thing in the bundle is not right" in str(errors.BundleWrong(1))
    assert "2 things in the bundle are not right" in str(errors.BundleWrong(2))

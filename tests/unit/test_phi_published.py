"""Published values: the authors' notebook ``CNOT_example.ipynb`` in github.com/Albantakis/QIIT.

It made figures 3 to 5 of Entropy 25(3), 449 (2023), and prints φ of every mechanism over every purview;
here are all that are not 0, and that no others are is checked too.
"""

import pytest
from tests.unit import phi_cases as cases

from qfleet_wire import api


def partition(view: api.PhiResultView, direction: str, mechanism: str) -> list[tuple[str, str]]:
    """The partition of a mechanism's chosen purview, spelled as letters."""
    (one,) = (
        one
        for one in view.distinctions
        if one.direction == direction and cases.spelled(one.mechanism) == mechanism
    )
    (best,) = (each for each in one.purviews if each.purview == one.purview)
    return [(cases.spelled(here), cases.spelled(there)) for here, there in best.partition]


def test_cnot_in_the_state_10() -> None:
    view = cases.answer()
    assert cases.table(view, "effect") == {
        ("A", "A"): 1.0,
        ("A", "AB"): 0.5,
        ("AB", "B"): 1.0,
        ("AB", "AB"): 1.0,
    }
    assert cases.table(view, "cause") == {
        ("A", "A"): 1.0,
        ("A", "AB"): 0.5,
        ("B", "AB"): 0.5,
        ("AB", "AB"): 1.0,
    }
    chosen: dict[tuple[str, str], tuple[str, object]] = {
        (one.direction, cases.spelled(one.mechanism)): (cases.spelled(one.purview), one.phi)
        for one in view.distinctions
        if one.phi
    }
    assert chosen == {
        ("effect", "A"): ("A", pytest.approx(1.0)),
        ("effect", "AB"): ("AB", pytest.approx(1.0)),
        ("cause", "A"): ("A", pytest.approx(1.0)),
        ("cause", "B"): ("AB", pytest.approx(0.5)),
        ("cause", "AB"): ("AB", pytest.approx(1.0)),
    }
    for direction in ("effect", "cause"):
        assert partition(view, direction, "AB") == [("A", "A"), ("B", ""), ("", "B")]


def test_a_ghz_state_of_which_cnot_takes_a_qubit() -> None:
    view = cases.answer(program=cases.CNOT_OF_THREE, preparation=cases.GHZ)
    assert cases.table(view, "effect") == {
        ("BC", "C"): 1.0,
        ("BC", "AC"): 0.5,
        ("BC", "BC"): 0.5,
        ("BC", "ABC"): 0.25,
        ("ABC", "AB"): 2.0,
        ("ABC", "ABC"): 2.0,
    }
    assert cases.table(view, "cause") == {
        ("C", "BC"): 0.5,
        ("C", "ABC"): 0.25,
        ("AB", "AB"): 0.5,
        ("AB", "ABC"): 1.0,
        ("ABC", "ABC"): 2.0,
    }
    assert partition(view, "effect", "ABC") == [("A", ""), ("BC", "C"), ("", "AB")]
    assert sorted(partition(view, "cause", "ABC")) == [("", "A"), ("AB", ""), ("C", "BC")]


def test_a_w_state_to_which_nothing_happens() -> None:
    one, two, half, quarter = 0.276692, 0.943358, 0.138346, 0.069173
    expected = {("ABC", "ABC"): 3.0}
    for qubit in "ABC":
        expected[qubit, qubit], expected[qubit, "ABC"] = one, quarter
    for pair in ("AB", "AC", "BC"):
        expected[pair, pair], expected[pair, "ABC"] = two, 0.471679
        expected |= {(qubit, pair): half for qubit in pair}
    view = cases.answer(program=cases.NOTHING, amplitudes=cases.W, directions=("effect",))
    assert cases.table(view, "effect") == expected
    assert partition(view, "effect", "ABC") == [("ABC", ""), ("", "ABC")]

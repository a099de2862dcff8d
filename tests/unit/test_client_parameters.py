"""Parameter points: what is accepted, and that every refusal says where."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qfleet import errors, numbers, parameters


def test_nothing_gives_no_points() -> None:
    assert parameters.parse([]) == ()


def test_range_includes_both_ends() -> None:
    points = parameters.parse(["theta=0:pi:3"])
    assert points == ({"theta": 0.0}, {"theta": math.pi / 2}, {"theta": math.pi})


def test_range_of_one_is_its_start() -> None:
    assert parameters.parse(["theta=0.5:9:1"]) == ({"theta": 0.5},)


def test_ranges_span_a_grid_in_which_the_last_varies_fastest() -> None:
    points = parameters.parse(["a=1,2", "b=-pi/2,0"])
    assert [(point["a"], point["b"]) for point in points] == [
        (1.0, -math.pi / 2),
        (1.0, 0.0),
        (2.0, -math.pi / 2),
        (2.0, 0.0),
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["theta=0:1"], "three fields, not 2"),
        (["theta=0:1:0"], "'0' is not a number of points"),
        (["theta=0:1:2.5"], "'2.5' is not a number of points"),
        (["theta=0:x:2"], "'x' is not a number"),
        (["theta=1,,2"], "'' is not a number"),
        (["2theta=1"], "'2theta' is not the name of an input"),
        (["a=1", "a=2"], "'a' is given twice"),
        (["a=0:1:2000000"], "2000000 parameter points"),
        (["a=0:1:2000", "b=0:1:2000"], "4000000 parameter points"),
        (["theta"], "neither a range nor a file"),
        (["p.json", "a=1"], "cannot be combined"),
        (["no-such.csv"], "cannot read"),
    ],
)
def test_refusals_of_arguments(arguments: list[str], told: str) -> None:
    with pytest.raises(errors.UserError, match=told):
        parameters.parse(arguments)


def read(directory: Path, name: str, text: str) -> tuple[parameters.Point, ...]:
    file = directory / name
    file.write_text(text)
    return parameters.parse([str(file)])


def test_csv(tmp_path: Path) -> None:
    points = read(tmp_path, "p.csv", "gamma, beta\n0.5,pi\n\n-1e-3, 2\n")
    assert points == ({"gamma": 0.5, "beta": math.pi}, {"gamma": -1e-3, "beta": 2.0})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,b\n1,2\n3,four\n", r"p.csv, line 3, column 2 \(input 'b'\): 'four' is not a number"),
        ("a,b\n1\n", "line 2: 1 values for 2 inputs"),
        ("a,a\n1,2\n", "line 1: input 'a' is given twice"),
        ("a b\n1\n", "line 1: 'a b' is not the name"),
        ("a\n", "no parameter point"),
        ("", "no parameter point"),
        ("a\nnan\n", "'nan' is not a number"),
        ("a\n1e999\n", "too large"),
        ('a\n"1\n', "not valid CSV"),
    ],
)
def test_refusals_of_csv(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(errors.UserError, match=told):
        read(tmp_path, "p.csv", text)


def test_json_of_points_and_of_columns(tmp_path: Path) -> None:
    points = ({"a": 1.0, "b": 0.5}, {"a": 2.0, "b": math.pi / 4})
    assert read(tmp_path, "p.json", '[{"a": 1, "b": 0.5}, {"a": 2, "b": "pi/4"}]') == points
    assert read(tmp_path, "p.json", '{"a": [1, 2], "b": [0.5, "pi/4"]}') == points
    assert read(tmp_path, "p.json", '{"a": 1}') == ({"a": 1.0},)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[{"a": 1},\n {"a": }]', "line 2, column 8: not valid JSON"),
        ('[{"a": 1}, {"a": true}]', "point 2, field 'a': true is not a finite number"),
        ('[{"a": null}]', "point 1, field 'a': null"),
        ('[{"a": NaN}]', "point 1, field 'a'"),
        ("[1]", "point 1: 1 is not an object"),
        ("3", "neither a list of points"),
        ('{"a": [1, 2], "b": [1]}', "'a' has 2, 'b' has 1"),
        ('[{"a": 1, "a": 2}]', "'a' is given twice"),
        ("[]", "no parameter point"),
        ("[" * 100_000, "nested too deeply"),
        ('[{"a": 1' + "0" * 400 + "}]", "not a finite number"),
    ],
)
def test_refusals_of_json(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(errors.UserError, match=told):
        read(tmp_path, "p.json", text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_is_read_back(value: float) -> None:
    assert numbers.parse(repr(value), "here") == value


@given(st.text(max_size=20))
def test_any_text_is_a_finite_number_or_a_user_error(text: str) -> None:
    try:
        value = numbers.parse(text, "here")
    except errors.UserError:
        return
    assert math.isfinite(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [("pi", math.pi), ("-π/2", -math.pi / 2), ("3*pi/4", 3 * math.pi / 4), (" 2 * pi ", 2 * math.pi)],
)
def test_multiples_of_pi(text: str, value: float) -> None:
    assert numbers.parse(text, "here") == pytest.approx(value)


def test_division_by_zero_is_refused() -> None:
    with pytest.raises(errors.UserError, match="divides by zero"):
        numbers.parse("pi/0", "here")

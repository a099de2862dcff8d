"""What is drawn in the terminal."""

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from rich.cells import cell_len
from rich.console import Console

from qfleet import errors
from qfleet.render import cells, devices, histogram, problems, programs, qr, results, tables, terminal
from qfleet_wire import api, ways
from qfleet_wire.names import Millis


def test_histogram_is_sorted_by_count_and_says_what_is_left_out() -> None:
    lines = [line.plain for line in histogram.lines({"00": 10, "11": 30, "01": 10, "10": 50}, top=2)]
    assert [line.split()[0] for line in lines] == ["10", "11", "…"]
    assert "50.0%" in lines[0]
    assert lines[2] == "… 2 more, together 20 (20.0%)"


def test_histogram_without_shots() -> None:
    assert [line.plain for line in histogram.lines({})] == ["no shots"]


@given(
    st.dictionaries(st.text("01 ", min_size=1, max_size=30), st.integers(1, 10**6), min_size=1),
    st.integers(60, 200),
)
def test_histogram_fits_its_width(counts: dict[str, int], width: int) -> None:
    lines = histogram.lines(counts, width=width)
    assert all(len(line.plain) <= width for line in lines)
    assert len(lines) == min(len(counts), 16) + (len(counts) > 16)


def test_bar_is_full_for_all_and_seen_for_a_little() -> None:
    assert histogram.bar(1.0, 8) == "█" * 8
    assert histogram.bar(0.5, 8) == "████    "
    assert histogram.bar(1e-9, 8).strip() == "▏"
    assert histogram.bar(0.0, 8).strip() == ""


def test_a_gradient_stands_beside_its_value() -> None:
    values = (api.ValueView("Z0", 0.5, 0.0, exact=True), api.ValueView("X1", -1.0, 0.0, exact=True))
    gradient = ({"theta": -0.25, "phi": 0.0}, {"theta": 2.0, "phi": 1e-3})
    items = (api.ExpectItemView({"theta": 0.1, "phi": 0.2}, values, gradient),)
    view = api.ExpectResultView("j", "succeeded", 1, items, ())
    (table,) = programs.values(view, 16, 100)
    console = Console(file=StringIO(), width=100)
    console.print(table)
    assert isinstance(console.file, StringIO)
    head, first, second = console.file.getvalue().splitlines()
    assert head.split()[-4:] == ["d/d", "theta", "d/d", "phi"]
    assert first.split()[2:] == ["Z0", "+0.500000", "exact", "-0.250000", "+0.000000"]
    assert second.split()[2:] == ["X1", "-1.000000", "exact", "+2.000000", "+0.001000"]


def test_caret_stands_below_its_column_behind_tabs_and_wide_characters() -> None:
    assert problems.excerpt("a\n\tθ漢 x;", api.Place(2, 5)).plain == "\n  2 │  θ漢 x;\n    │      ^"


@pytest.mark.parametrize(
    ("column", "cut"), [(1, (False, True)), (150, (True, True)), (301, (True, False)), (999, (True, False))]
)
@pytest.mark.parametrize("letter", ["x", "漢"])
def test_a_long_line_is_shown_around_its_caret(column: int, cut: tuple[bool, bool], letter: str) -> None:
    line = letter * 149 + "@" + letter * 150 + "!"
    _, above, below = problems.excerpt(line, api.Place(1, column)).plain.split("\n")
    shown = above.removeprefix("  1 │ ")
    assert cell_len(shown) <= 82
    assert (shown.startswith("…"), shown.endswith("…")) == cut
    place = cell_len(below) - cell_len("    │ ^")
    marked = {150: "@", 301: "!", 999: ""}.get(column, letter)
    assert next((shown[n] for n in range(len(shown)) if cell_len(shown[:n]) == place), "") == marked


def test_a_result_without_items_says_nothing_of_a_simulation() -> None:
    for view in (
        api.SampleResultView("job-1", "failed", 1, (), ()),
        api.ExpectResultView("job-1", "failed", 1, (), ()),
    ):
        console = Console(width=80, file=StringIO())
        console.print(results.result(view, top=4, width=80))
        assert console.file.getvalue() == "no results\n"  # type: ignore[attr-defined]


@pytest.mark.parametrize("line", [0, 3, 10**9])
def test_a_place_outside_the_program_draws_nothing(line: int) -> None:
    assert problems.excerpt("a\nb", api.Place(line, 1)).plain == ""


def test_a_problem_with_a_field() -> None:
    drawn = problems.text(api.Problem("invalid", "expected `int`", "use fewer", field="shots"))
    assert drawn.plain == "error: expected `int` (field shots)\nhint: use fewer"
    drawn = problems.text(api.Problem("request", "shots is -1", field="shots"))
    assert drawn.plain == "error: shots is -1"


@given(st.text())
def test_printable_text_has_no_control_characters(text: str) -> None:
    assert all(character.isprintable() or character in "\n\t" for character in terminal.printable(text))


def test_qr_code_is_square_and_left_out_where_it_does_not_fit() -> None:
    drawn = qr.code("QF1-" + "A" * 200, width=120)
    assert drawn is not None
    rows = drawn.rstrip("\n").split("\n")
    assert len(rows) * 2 >= 40
    assert qr.code("QF1-" + "A" * 200, width=40) is None


@pytest.mark.parametrize(
    ("then", "told"),
    [(None, None), (99_000, "1 s ago"), (0, "1 min ago"), (-7_200_000, "2 h ago"), (200_000, "0 s ago")],
)
def test_ago(then: int | None, told: str | None) -> None:
    assert cells.ago(then, 100_000) == told


def test_counts_of_tasks_leave_out_what_is_zero() -> None:
    assert tables.counts(api.TaskCounts(running=2, failed=1)) == "2 running, 1 failed"
    assert tables.counts(api.TaskCounts()) == "none yet"


def test_point() -> None:
    assert programs.point({"gamma": 0.5, "beta": 1 / 3}) == "gamma = 0.5, beta = 0.333333"


def test_errors_name_themselves_as_problems() -> None:
    problem = errors.UserError("no", hint="do").problem
    assert problem == api.Problem("user-error", "no", "do")


def shown(view: api.DeviceView, now_ms: int) -> dict[str, str]:
    console = Console(file=StringIO(), width=120)
    console.print(devices.device(view, now_ms=now_ms))
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().splitlines()
    return {line[:18].strip(): line[18:].strip() for line in lines}


def test_a_device_shows_its_way_and_when_it_is_there() -> None:
    start = 1_772_366_400_000  # 2026-03-01 12:00 UTC
    way = ways.Way(
        "leo",
        "satellite",
        Millis(start),
        640.4,
        5_520_000,
        2_000,
        "ground.example:8883",
        ways.Window(Millis(start), Millis(start + 480_000)),
        Millis(start + 5_700_000),
    )
    view = api.DeviceView(
        name="buoy", region="north", status="online", way=way, heard_within_ms=5_610_000, waiting_down=3
    )
    told = shown(view, start + 60_000)
    assert told["way"] == "leo (satellite) by ground.example:8883, round trip 640 ms"
    assert told["taken"] == "1 min ago"
    assert told["contact"] == "open until 2026-03-01 12:08 UTC; next 2026-03-01 13:35 UTC"
    assert told["silent after"] == "1.56 h"
    assert told["delivery"] == "gathered for 2 s, sent together, 3 wait"
    assert shown(view, start + 600_000)["contact"] == "closed; next 2026-03-01 13:35 UTC"
    assert view.way is not None
    planned = structs.replace(view, way=structs.replace(view.way, planned=True))
    told = shown(planned, start + 600_000)
    assert told["contact"] == "closed; next 2026-03-01 13:35 UTC, by the contact plan"
    assert "way" not in shown(api.DeviceView(name="pi", region="north", status="online"), start)

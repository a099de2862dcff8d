"""Reports as Markdown, HTML and JSON: every number of one stands in the others."""

import re
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from qfleet_applications.frame import html, markdown, screen
from qfleet_applications.frame.report import Comparison, Figure, Measured, Report, Series, Table
from qfleet_applications.qubo.sampling import METHODS, Effort

BARS = Series("cost", (0.0, 1.0), (2.0, 3.0), (1.5, 2.5), (2.5, 3.5), "bars")
REPORT = Report(
    pack="finance",
    command="risk",
    title="Risk of <a> book",
    comparisons=(
        Comparison(
            "the book",
            "loss",
            "EUR",
            "lower",
            Measured("amplitude estimation", 3.25, 3.0, 3.5, 2.0, kind="quantum, simulated"),
            Measured("enumeration", 3.125, 3.125, 3.125, 0.001),
        ),
    ),
    tables=(Table("Levels | all", ("level", "loss"), ((0.95, 2), ("a|b", None))),),
    figures=(Figure("losses", "Losses", "method", "EUR", (BARS,), ("one", "two")),),
    notes=("It is <simulated>.",),
    settings={"seed": "7"},
    versions={"numpy": "2.0"},
    jobs=("job-1",),
    seconds=2.5,
)


def test_markdown_shows_all_and_its_plot_lies_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "report.md"
    markdown.write(REPORT, file)
    text = file.read_text(encoding="utf-8")
    for shown in ("3.25", "3 to 3.5", "3.125", "exact", "a\\|b", "| seed | 7 |", "job-1", "no difference"):
        assert shown in text
    picture = tmp_path / "report-losses.png"
    assert f"]({picture.name})" in text
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_html_escapes_what_it_shows_and_needs_no_other_file(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    html.write(REPORT, file)
    text = file.read_text(encoding="utf-8")
    assert "Risk of &lt;a&gt; book" in text
    assert "It is &lt;simulated&gt;." in text
    assert re.findall(r'(?:src|href)="(.{10})', text) == ["data:image"]
    assert list(tmp_path.iterdir()) == [file]


def test_a_users_text_is_no_markdown_and_no_table_of_another_shape() -> None:
    wild = Table("*a* <script>", ("<b>load</b>", "x_y", "[z](http://z)"), (("a|b\nc", "_q_", "C:\\d"),))
    report = msgspec.structs.replace(REPORT, title="<img src=x> *T*", tables=(wild,), notes=("2 < 3\n# n",))
    told = markdown.text(report)
    shown = "".join(
        token.content
        for block in MarkdownIt().enable("table").parse(told)
        for token in block.children or ()
        if token.type in {"text", "text_special"}
    )
    for part in (
        "<img src=x> *T*",
        "*a* <script>",
        "<b>load</b>x_y[z](http://z)",
        "a|b c_q_C:\\d",
        "2 < 3 # n",
    ):
        assert part in shown
    for part in ("<script>", "<img src=x>", "<b>"):
        assert part not in html.text(report)


@pytest.mark.parametrize("width", [30, 80, 200])
def test_no_number_is_cut_off_at_a_terminal(width: int) -> None:
    written = StringIO()
    screen.show(REPORT, Console(file=written, width=width))
    told = " ".join(written.getvalue().split())
    assert "…" not in told
    assert all(number in told for number in ("3.25 EUR", "3 to 3.5", "3.125 EUR", "0.95", "a|b"))
    assert "Risk of <a> book" in told
    assert ("value: 3.125 EUR" in told) == (width < 112)


def test_both_forms_say_what_is_simulated() -> None:
    assert markdown.BASIS in markdown.text(REPORT)
    assert markdown.BASIS in html.text(REPORT)


def test_json_holds_the_report_whole() -> None:
    assert msgspec.json.decode(msgspec.json.encode(REPORT), type=Report) == REPORT


def test_tables_and_series_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match="1 cells below 2 columns"):
        Table("t", ("a", "b"), ((1,),))
    with pytest.raises(ValueError, match="equally many"):
        Series("s", (1.0,), ())
    with pytest.raises(ValueError, match="1 intervals for 2 points"):
        Series("s", (1.0, 2.0), (1.0, 2.0), (0.0,), (1.0,))


def test_each_method_says_whether_it_is_quantum_and_a_sampler_of_the_fleet_may_not_be() -> None:
    (ours, theirs) = markdown.comparison_table(REPORT.comparisons).rows
    assert ours[2:4] == ("amplitude estimation, on the fleet", "quantum, simulated")
    assert theirs[2:4] == ("enumeration", "classical")
    told = msgspec.json.decode(msgspec.json.encode(REPORT))["comparisons"][0]
    assert (told["fleet"]["kind"], told["classical"]["kind"]) == ("quantum, simulated", "classical")
    assert {method: Effort(method=method).kind for method in METHODS} == {
        "simulated": "classical",
        "path-integral": "classical",
        "tabu": "classical",
        "qaoa": "quantum, simulated",
    }

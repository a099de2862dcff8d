"""Amplitudes in the terminal and as arrays."""

import io

import numpy as np
import pytest
from rich.console import Console

from qfleet import AmplitudeItemView, AmplitudesResultView, AmplitudeView, EchoResultView, Result, UserError
from qfleet.render import results

VIEW = AmplitudesResultView(
    job="j",
    status="succeeded",
    seed=5,
    items=tuple(
        AmplitudeItemView(
            {"theta": theta},
            (AmplitudeView("01", 0.6, -0.0, 0.36), AmplitudeView("10", 0.0, -0.8, 0.64)),
        )
        for theta in (0.5, 1.5)
    ),
    sources=(),
)


def drawn(view: AmplitudesResultView, top: int) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(results.result(view, top=top, width=100))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_terminal_shows_each_bit_string_with_its_amplitude_and_probability() -> None:
    text = drawn(VIEW, 16)
    assert text.count("+0 -0.8i") == 2
    assert "0.64" in text
    assert "theta" in text
    assert "seed 5" in text
    assert "more" not in text


def test_the_terminal_says_how_many_it_leaves_out() -> None:
    text = drawn(VIEW, 1)
    assert "and 1 more bit strings" in text
    assert "10" not in text.split("seed")[0]


def test_arrays_are_complex_with_a_row_for_each_point() -> None:
    np.testing.assert_allclose(Result(VIEW).amplitudes, [[0.6, -0.8j]] * 2)
    arrays = Result(VIEW).arrays()
    assert arrays["bitstrings"].tolist() == ["01", "10"]
    np.testing.assert_allclose(arrays["parameters"], [[0.5], [1.5]])


def test_another_result_has_no_amplitudes() -> None:
    with pytest.raises(UserError, match="has no amplitudes"):
        _ = Result(EchoResultView(job="j", status="succeeded", items=1, sources=())).amplitudes

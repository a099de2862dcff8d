"""Results of every kind as arrays and as plots."""

import math
from typing import Any, get_args

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from qfleet import Result, UserError, arrays, plots
from qfleet_wire import api

HEADING: dict[str, Any] = {"job": "job-1", "status": "succeeded", "seed": 7, "sources": ()}
VIEWS: tuple[api.ResultView, ...] = (
    api.SampleResultView(**HEADING, items=(api.SampleItemView({"a": 0.5}, 8, {"01": 5, "10": 3}),)),
    api.ExpectResultView(
        **HEADING,
        items=(api.ExpectItemView({"a": 0.5}, (api.ValueView("Z0", 0.25, 0.1, exact=False),)),),
    ),
    api.AmplitudesResultView(
        **HEADING,
        items=(api.AmplitudeItemView({}, (api.AmplitudeView("01", 0.6, -0.8, 1.0),)),),
    ),
    api.DynamicsResultView(
        **HEADING,
        times=(0.0, 1.0),
        items=(
            api.DynamicsItemView(
                {"g": 2.0}, 0, (api.DynamicsCurve("n", (1.0, 0.5), (0.0, 0.0), exact=True),)
            ),
        ),
    ),
    api.AnnealResultView(
        **HEADING,
        method="simulated",
        variable_type="SPIN",
        variables=("a", "b"),
        reads=4,
        states=(api.StateView(-1.0, 3, (1, -1)),),
        energies=(api.EnergyView(-1.0, 3), api.EnergyView(1.0, 1)),
    ),
    api.VariationalResultView(
        **HEADING,
        value=-1.5,
        parameters={"t": 0.5},
        start=0,
        starts=(api.StartView(0, -1.5, {"t": 0.5}, 4, converged=True, trace=(0.0, -1.5), every=2),),
        samples=(api.StringView("01", 9, -2.0),),
        lowest=None,
    ),
    api.AmplitudeResultView(
        **HEADING,
        epsilon=0.01,
        alpha=0.05,
        problems={2: api.EstimateView(0.25, (0.24, 0.26), 900, ())},
    ),
    api.KernelResultView(**HEADING, shots=0, matrix=((1.0, None), (0.5, 1.0))),
    api.PhiResultView(
        **HEADING,
        qubits=2,
        distinctions=(
            api.DistinctionView("effect", (0,), (0, 1), 1.0, (api.PurviewView((0, 1), 1.0, (), 1.0),)),
        ),
    ),
)


@pytest.fixture(autouse=True)
def unseen() -> None:
    mpl.use("agg")


def of(kind: type) -> arrays.Arrays:
    (view,) = (view for view in VIEWS if isinstance(view, kind))
    return Result(view).arrays()


def test_every_kind_but_echoes_has_arrays_and_a_plot() -> None:
    kinds = set(get_args(api.ResultView)) - {api.EchoResultView}
    assert {type(view) for view in VIEWS} == kinds
    assert set(arrays._MAKERS) == kinds
    assert set(plots._DRAWERS) == kinds - {api.AmplitudesResultView}


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: type(view).__name__)
def test_arrays_have_the_numbers_of_the_view(view: api.ResultView) -> None:
    found = Result(view).arrays()
    assert found
    assert all(isinstance(each, np.ndarray) for each in found.values())
    assert Result(view).to_dict()["job"] == "job-1"


def test_arrays_have_shapes_that_say_what_stands_where() -> None:
    assert of(api.AmplitudesResultView)["amplitudes"].tolist() == [[0.6 - 0.8j]]
    assert of(api.DynamicsResultView)["values"].tolist() == [[[1.0, 0.5]]]
    assert of(api.AnnealResultView)["states"].tolist() == [[1, -1]]
    assert of(api.AnnealResultView)["level_reads"].tolist() == [3, 1]
    assert of(api.VariationalResultView)["parameters"].tolist() == [[0.5]]
    assert of(api.AmplitudeResultView)["intervals"].tolist() == [[0.24, 0.26]]
    assert of(api.PhiResultView)["effects"][0b01, 0b11] == 1.0
    kernel = of(api.KernelResultView)["matrix"]
    assert math.isnan(kernel[0, 1])
    assert kernel[1].tolist() == [0.5, 1.0]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: type(view).__name__)
def test_a_plot_draws_something_and_names_its_axes(view: api.ResultView) -> None:
    if isinstance(view, api.AmplitudesResultView):
        with pytest.raises(UserError, match="cannot be drawn"):
            Result(view).plot()
        return
    axes = Result(view).plot()
    try:
        assert axes.has_data()
        assert axes.get_ylabel()
    finally:
        plt.close("all")


def test_echoes_have_neither() -> None:
    echoes = Result(api.EchoResultView("job-1", "succeeded", 1, ()))
    with pytest.raises(UserError, match="no arrays"):
        echoes.arrays()
    with pytest.raises(UserError, match="cannot be drawn"):
        echoes.plot()

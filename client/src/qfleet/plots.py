"""Results as plots, by kind. Imported only when somebody asks for a plot."""

from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from qfleet import arrays, errors
from qfleet_wire import api

_MOST_BARS = 32


def draw(view: api.ResultView, axes: Axes | None = None) -> Axes:
    """Draw a result; new axes are made where none are given.

    Raises:
        UserError: nothing of this kind can be drawn.
    """
    drawer = _DRAWERS.get(type(view))
    if drawer is None:
        raise errors.UserError(f"a {type(view).__name__} cannot be drawn")
    if axes is None:
        _, axes = plt.subplots()
    drawer(view, axes)
    return axes


def _histogram(view: api.SampleResultView, axes: Axes) -> None:
    """Draw the most frequent outcomes, a group of bars for each point."""
    found = arrays.of(view)
    order = (-found["counts"].sum(axis=0)).argsort(kind="stable")[:_MOST_BARS]
    order.sort()
    width = 0.8 / max(1, len(view.items))
    for number, item in enumerate(view.items):
        heights = found["counts"][number, order] / max(1, item.shots)
        places = [place + number * width for place in range(len(order))]
        axes.bar(places, heights, width=width, label=_named(item.parameters))
    axes.set_xticks([place + 0.4 - width / 2 for place in range(len(order))])
    axes.set_xticklabels(found["outcomes"][order], rotation=90)
    axes.set(xlabel="outcome", ylabel="share of shots")
    if 1 < len(view.items) <= _MOST_BARS:
        axes.legend()


def _curves(view: api.ExpectResultView, axes: Axes) -> None:
    """Draw each observable over the one input that varies, or over the points' numbers."""
    found = arrays.of(view)
    names = list(view.items[0].parameters)
    varying = [n for n in range(len(names)) if len(set(found["parameters"][:, n])) > 1]
    single = len(varying) == 1
    places = found["parameters"][:, varying[0]] if single else range(len(view.items))
    for number, value in enumerate(view.items[0].values):
        label = value.observable
        axes.errorbar(
            places, found["values"][:, number], found["standard_errors"][:, number], label=label, marker="."
        )
    axes.set(xlabel=names[varying[0]] if single else "parameter point", ylabel="expectation value")
    axes.legend()


def _over_time(view: api.DynamicsResultView, axes: Axes) -> None:
    """Draw each observable of each point over time, sampled ones with their standard errors."""
    for item in view.items[:_MOST_BARS]:
        place = _named(item.parameters)
        for curve in item.curves:
            label = f"{curve.observable}, {place}" if place else curve.observable
            errors_drawn = None if curve.exact else curve.standard_errors
            axes.errorbar(view.times, curve.values, errors_drawn, label=label)
    axes.set(xlabel="t", ylabel="mean")
    axes.legend()


def _histories(view: api.VariationalResultView, axes: Axes) -> None:
    """Draw the value of each start over its evaluations."""
    for start in view.starts[:_MOST_BARS]:
        places = range(1, 1 + start.every * len(start.trace), start.every)
        axes.plot(places, start.trace, label=f"start {start.start}")
    axes.set(xlabel="evaluation", ylabel="cost")
    axes.legend()


def _heat(view: api.KernelResultView, axes: Axes) -> None:
    """Draw the matrix as an image, from 0 to 1."""
    image = axes.imshow(arrays.of(view)["matrix"], vmin=0.0, vmax=1.0)
    axes.set(xlabel="column", ylabel="row")
    axes.figure.colorbar(image, ax=axes, label="fidelity")


def _named(parameters: dict[str, float]) -> str:
    return ", ".join(f"{name} = {value:.4g}" for name, value in parameters.items())


def _energies(view: api.AnnealResultView, axes: Axes) -> None:
    """Draw how many reads ended with which energy."""
    found = arrays.of(view)
    axes.vlines(found["levels"], 0, found["level_reads"])
    axes.plot(found["levels"], found["level_reads"], ".")
    axes.set(xlabel="energy", ylabel="reads")


def _intervals(view: api.AmplitudeResultView, axes: Axes) -> None:
    """Draw each problem's estimate in its interval."""
    found = arrays.of(view)
    reach = abs(found["intervals"] - found["estimates"][:, None]).T
    axes.errorbar(found["problems"], found["estimates"], reach, fmt=".", capsize=3)
    axes.set(xlabel="problem", ylabel="amplitude")


def _phi(view: api.PhiResultView, axes: Axes) -> None:
    """Draw φ of each mechanism's cause and effect."""
    for direction, shift in (("cause", -0.2), ("effect", 0.2)):
        chosen = [one for one in view.distinctions if one.direction == direction]
        axes.bar([n + shift for n in range(len(chosen))], [one.phi for one in chosen], 0.4, label=direction)
    names = dict.fromkeys("".join(chr(65 + qubit) for qubit in one.mechanism) for one in view.distinctions)
    axes.set_xticks(range(len(names)))
    axes.set_xticklabels(names)
    axes.set(xlabel="mechanism", ylabel="φ in bits")
    axes.legend()


_DRAWERS: dict[type[api.ResultView], Callable[[Any, Axes], None]] = {
    api.SampleResultView: _histogram,
    api.ExpectResultView: _curves,
    api.DynamicsResultView: _over_time,
    api.VariationalResultView: _histories,
    api.KernelResultView: _heat,
    api.AnnealResultView: _energies,
    api.AmplitudeResultView: _intervals,
    api.PhiResultView: _phi,
}

"""Results for programs: as plain values, as numpy arrays, as plots.

numpy and matplotlib are extras (``qfleet[numpy]``, ``qfleet[plot]``) and are imported only when asked for.
"""

from typing import TYPE_CHECKING, Any

import msgspec

from qfleet import errors
from qfleet_wire import api

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes


class Result:
    """The result of a job. ``view`` is what the control plane says, with its types."""

    def __init__(self, view: api.ResultView) -> None:
        self.view = view

    def __repr__(self) -> str:
        return f"Result({self.view!r})"

    @property
    def counts(self) -> tuple[dict[str, int], ...]:
        """Counts of each parameter point of a sampling job, keys as Qiskit writes them.

        Raises:
            UserError: it is another kind of job.
        """
        if not isinstance(self.view, api.SampleResultView):
            raise errors.UserError(f"a {type(self.view).__name__} has no counts")
        return tuple(item.counts for item in self.view.items)

    @property
    def values(self) -> "np.ndarray":
        """Expectation values, shape (parameter points, observables).

        Raises:
            UserError: it is another kind of job, or numpy is not installed.
        """
        if not isinstance(self.view, api.ExpectResultView):
            raise errors.UserError(f"a {type(self.view).__name__} has no expectation values")
        return self.arrays()["values"]

    @property
    def amplitudes(self) -> "np.ndarray":
        """Complex amplitudes of the bit strings that were asked for, shape (parameter points, bit strings).

        Raises:
            UserError: it is another kind of job, or numpy is not installed.
        """
        if not isinstance(self.view, api.AmplitudesResultView):
            raise errors.UserError(f"a {type(self.view).__name__} has no amplitudes")
        return self.arrays()["amplitudes"]

    def to_dict(self) -> dict[str, Any]:
        """The whole result in dicts, lists, strings and numbers."""
        plain: dict[str, Any] = msgspec.to_builtins(self.view)
        return plain

    def arrays(self) -> "dict[str, np.ndarray]":
        """The result's numbers as numpy arrays; the pages about the workloads name them.

        Raises:
            UserError: numpy is not installed.
        """
        _need("numpy", "numpy")
        from qfleet import arrays  # noqa: PLC0415 - an extra

        return arrays.of(self.view)

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """Draw the result into ``axes``, or into new ones, and return them.

        Raises:
            UserError: matplotlib is not installed, or nothing of this kind can be drawn.
        """
        _need("matplotlib", "plot")
        from qfleet import plots  # noqa: PLC0415 - an extra

        return plots.draw(self.view, axes)


def _need(module: str, extra: str) -> None:
    import importlib.util  # noqa: PLC0415 - this module is imported by every command

    if importlib.util.find_spec(module) is None:
        raise errors.UserError(f"{module} is not installed", hint=f"pip install 'qfleet[{extra}]'")

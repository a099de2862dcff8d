"""QuTiP and SciPy, imported lightly: without what draws pictures, and without threads for dense algebra.

Matplotlib would double the time of the import. Each thread of the BLAS library that SciPy brings reserves
40 MiB at once, and sparse systems have no use for it.
"""

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

_THREADS = "OPENBLAS_NUM_THREADS"


@contextlib.contextmanager
def _without_plots() -> Iterator[None]:
    """Let QuTiP find no Matplotlib, which it can do without, unless one of the two is here already."""
    absent: dict[str, ModuleType | None] = {}
    if "qutip" not in sys.modules and "matplotlib" not in sys.modules:
        absent["matplotlib"] = None
    sys.modules.update(absent)  # type: ignore[arg-type] # None marks a module that is not to be found
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


@contextlib.contextmanager
def _single_threaded() -> Iterator[None]:
    before = os.environ.get(_THREADS)
    os.environ[_THREADS] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_THREADS]
        else:
            os.environ[_THREADS] = before


def _imported() -> tuple[Any, Any]:
    with _single_threaded(), _without_plots(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import qutip  # type: ignore[import-untyped] # noqa: PLC0415 - ships no types; with what is absent
        from scipy import sparse  # type: ignore[import-untyped] # noqa: PLC0415 - ships no types
    return qutip, sparse


qutip, sparse = _imported()

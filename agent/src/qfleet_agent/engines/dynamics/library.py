"""QuTiP, imported without what draws pictures: half of its time and a fifth of its memory."""

import sys
import warnings
from types import ModuleType
from typing import Any


def _imported() -> Any:
    absent: dict[str, ModuleType | None] = {}
    if "qutip" not in sys.modules and "matplotlib" not in sys.modules:
        # QuTiP does without a package that cannot be imported; a worker draws nothing.
        absent["matplotlib"] = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sys.modules.update(absent)  # type: ignore[arg-type] # None marks a module that is not to be found
        try:
            import qutip  # type: ignore[import-untyped] # noqa: PLC0415 - ships no types; with what is absent
        finally:
            for name in absent:
                del sys.modules[name]
    return qutip


qutip = _imported()

"""``kernel.matrix``: Fidelity kernel between data points."""

import msgspec


class KernelMatrix(msgspec.Struct, frozen=True, tag="kernel.matrix"):
    """Fidelity kernel between data points."""

    seed: int


class KernelResult(msgspec.Struct, frozen=True, tag="kernel.matrix"):
    """Answer to ``KernelMatrix``."""

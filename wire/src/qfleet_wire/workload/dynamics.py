"""``dynamics.solve``: solve an open or closed quantum system in time."""

import msgspec


class DynamicsSolve(msgspec.Struct, frozen=True, tag="dynamics.solve"):
    """Solve an open or closed quantum system in time."""

    seed: int


class DynamicsResult(msgspec.Struct, frozen=True, tag="dynamics.solve"):
    """Answer to ``DynamicsSolve``."""

"""``variational.minimise``: minimise a cost over the parameters of an ansatz."""

import msgspec


class VariationalMinimise(msgspec.Struct, frozen=True, tag="variational.minimise"):
    """Minimise a cost over the parameters of an ansatz."""

    seed: int


class VariationalResult(msgspec.Struct, frozen=True, tag="variational.minimise"):
    """Answer to ``VariationalMinimise``."""

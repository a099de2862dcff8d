"""``iit.phi``: integrated information of a quantum mechanism."""

import msgspec


class PhiEvaluate(msgspec.Struct, frozen=True, tag="iit.phi"):
    """Integrated information of a quantum mechanism."""

    seed: int


class PhiResult(msgspec.Struct, frozen=True, tag="iit.phi"):
    """Answer to ``PhiEvaluate``."""

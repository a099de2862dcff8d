"""``anneal.sample``: sample low-energy states of a binary quadratic model."""

import msgspec


class AnnealSample(msgspec.Struct, frozen=True, tag="anneal.sample"):
    """Sample low-energy states of a binary quadratic model."""

    seed: int


class AnnealResult(msgspec.Struct, frozen=True, tag="anneal.sample"):
    """Answer to ``AnnealSample``."""

"""``amplitude.estimate``: estimate the amplitude of a marked outcome."""

import msgspec


class AmplitudeEstimate(msgspec.Struct, frozen=True, tag="amplitude.estimate"):
    """Estimate the amplitude of a marked outcome."""

    seed: int


class AmplitudeResult(msgspec.Struct, frozen=True, tag="amplitude.estimate"):
    """Answer to ``AmplitudeEstimate``."""

"""Whether the sky over a site is clear: drawn by hour from the twin's seed, the same at every look."""

import hashlib

HOUR_S = 3600.0
"""How long the sky stays as it was drawn."""


def is_clear(seed: int, site: str, at_s: float, cover: float) -> bool:
    """Whether clouds let the light through; over many hours a share of ``1 - cover`` does.

    Cloud cover is taken as the probability that the line of sight is blocked, as link availability
    studies of ground stations do; a blocked line passes nothing.
    """
    if cover <= 0.0:
        return True
    said = f"{seed}|{site}|{int(at_s // HOUR_S)}".encode()
    drawn = int.from_bytes(hashlib.blake2b(said, digest_size=8).digest(), "big")
    return drawn >= cover * 2.0**64

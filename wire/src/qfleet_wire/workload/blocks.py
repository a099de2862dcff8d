"""Fixed blocks of shots, and the seeds that belong to them."""

import hashlib

SHOTS_PER_BLOCK = 1024


def block_seed(job_seed: int, item: int, block: int) -> int:
    """Seed of one block, 0 ≤ seed < 2^63: SHA-256 of job seed, item and block number.

    It names the block and nothing of the plan, so any split of a job draws the same numbers.
    """
    text = f"qfleet block {job_seed} {item} {block}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1

"""A key exchange on one core: privacy amplification, the whole post-processing, a session of 10^9 pulses.

Both ends run in one process, one after the other: a session takes the time of two devices. The messages
go by function call: what delay costs is round trips, which are printed.
"""

import json
import subprocess
import sys
import time

import numpy as np
from benchmarks import key_exchange_session
from benchmarks.figures import Figure, number, spread

from qfleet_agent.qkd import amplification

BITS = 10**6
REPEATS = 5
AMPLIFY_GOAL_S = 0.5
POST_GOAL_BPS = 1e6


def run() -> list[Figure]:
    """Measure all three."""
    return [_amplified(secret) for secret in (BITS // 10, BITS // 2)] + [_processed(), _session()]


def _amplified(secret: int) -> Figure:
    rng = np.random.default_rng(1)
    key = rng.integers(0, 2, BITS, dtype=np.uint8)
    seed = rng.integers(0, 2, amplification.seed_bits(BITS, secret), dtype=np.uint8)
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        amplification.amplified(key, seed, secret)
        seconds.append(time.perf_counter() - began)
    taken = spread(seconds)
    return Figure(
        what=f"privacy amplification of {BITS:,} bits to {secret:,}",
        ours=taken.text("s"),
        goal=f"≤ {AMPLIFY_GOAL_S} s",
        met=taken.median <= AMPLIFY_GOAL_S,
    )


def _processed() -> Figure:
    """Sifting to key at 2 % QBER, from events that were drawn before."""
    ran, efficiency = key_exchange_session.processed()
    slower = max(ran.alice_s, ran.bob_s)
    bps = ran.sifted / slower
    return Figure(
        what=f"post-processing of {ran.sifted:,} sifted bits at {ran.qber:.2%}, the slower end",
        ours=(
            f"{number(bps)} bits/s (Alice {number(ran.alice_s)} s, Bob {number(ran.bob_s)} s; "
            f"f = {efficiency:.3f}, {ran.round_trips} round trips, {ran.secret:,} secret bits)"
        ),
        goal=f"≥ {number(POST_GOAL_BPS)} bits/s",
        met=bps >= POST_GOAL_BPS,
    )


def _session() -> Figure:
    """In a process of its own, so that its memory is its own."""
    command = [sys.executable, "-m", "benchmarks.key_exchange_session"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told = json.loads(done.stdout)
    return Figure(
        what="a session of 10^9 pulses at 35 dB, both ends, light drawn",
        ours=(
            f"{number(told['seconds'])} s, {number(told['memory_bytes'] / 2**20)} MiB at most "
            f"({number(told['idle_bytes'] / 2**20)} before it began); {told['counted']:,} counts, "
            f"{told['secret']:,} secret bits"
        ),
    )

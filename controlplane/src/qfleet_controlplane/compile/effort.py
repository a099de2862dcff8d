"""What a workload beside programs costs, in the few numbers that planning needs."""

import msgspec


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """What one item costs, and each of its shots (trajectories, reads, starts).

    A step touches ``elements`` numbers once: with the coefficients of ``payloads.Calibration`` it takes
    ``elements × amplitude_ns + gate_us``. Sizes in bytes; ``memory_bytes`` is what a task needs at least.
    """

    item_steps: float = 0.0
    item_passes: float | None = None
    """Passes over all elements, where steps are counted apart from them, at their cost on a small state."""
    item_parts: float = 0.0
    """What takes as long on any state, in units of ``costs.Load.parts``: Python's own share."""
    shot_steps: float = 0.0
    elements: float = 1.0
    memory_bytes: int = 0
    item_result_bytes: int = 256
    shot_result_bytes: float = 0.0


NO_EFFORT = Effort()
"""Of a program: its cost is told by its gates."""

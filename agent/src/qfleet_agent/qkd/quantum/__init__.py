"""The quantum channel: one interface for devices, and the simulated device behind it.

``apparatus`` is what a driver of real sources and detectors implements. ``laws`` and ``simulated`` are the
only simulated part of a key exchange; ``attacks`` changes the laws as an eavesdropper would.
"""

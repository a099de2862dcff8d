"""The engine that solves quantum dynamics with QuTiP. QuTiP is heavy: imported when a first task needs it."""

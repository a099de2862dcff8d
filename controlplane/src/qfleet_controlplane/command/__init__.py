"""The command line ``qfleet-controlplane``."""

from qfleet_controlplane.command.line import main

__all__ = ["main"]

"""The ``qfleet`` command: a thin shell around the SDK, for people and for scripts.

Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 internal error, 2 user error,
3 refused by the control plane, 4 control plane unreachable, 5 job failed, partial or cancelled,
130 interrupted.
"""

from qfleet.command import application


def main() -> None:
    """Run the command with the arguments of this process."""
    application.application()

"""``qfleet version``."""

import platform

import qfleet
from qfleet.command import options
from qfleet.render import terminal


def version(*, json: options.Json = False) -> None:
    """Print the version of this client."""
    if json:
        terminal.write_json({"qfleet": qfleet.__version__, "python": platform.python_version()})
    else:
        terminal.output().print(f"qfleet {qfleet.__version__} (Python {platform.python_version()})")

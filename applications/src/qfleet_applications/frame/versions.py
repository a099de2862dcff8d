"""Versions of what an answer was computed with."""

import platform
from importlib import metadata


def versions(*packages: str) -> dict[str, str]:
    """The versions of Python, of qfleet and of some packages by their names on PyPI."""
    found = {"python": platform.python_version()}
    return found | {name: metadata.version(name) for name in ("qfleet", "qfleet-applications", *packages)}
